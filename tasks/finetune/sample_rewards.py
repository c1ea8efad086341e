"""The rewards of samples that a policy draws while it is trained, as step `rate` gives them.

A reward model is asked in this process, on the tokens as they were drawn, and its reward is put
into [0, 1] by a sigmoid; a judge and a checker are asked through the parent. A sample that did not
end, or says nothing, has reward 0; one that the engine could not give has none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from tasks.decoding.request import Completion
from tasks.decoding.thinking import answer_in
from tasks.decoding.trained_ids import TrainedIds, ends_of
from tasks.processes.wire import Message
from tasks.rows import Row

# Of samples: rows with `problem`, `prompt` and `prompt_ids`, and what was drawn for each.
Rewards = Callable[[Sequence[Row], Sequence[Completion]], list[float | None]]
_Answered = Callable[[Sequence[Row], Sequence[Completion], Sequence[str]], list[float]]
# Beyond it a sigmoid is 0 or 1.
_MOST = 60.0


def rewards_for(job: Message, ask: Callable[[Message], Message], device: str) -> Rewards:
    """What rewards the samples of a job.

    Args:
        job: Of `trainer.train`: `reward` (its `by`, and `model`, a folder, where it is one),
            `chat` and `resources` are used.
        ask: Answers {"reward": {"problems": [id, ...], "texts": [...]}} with {"rewards": [...]}.
        device: cpu or cuda.
    """
    chat = job.get("chat", False)
    answered = _by_model(job, device) if job["reward"]["by"] == "model" else _by_parent(ask)

    def rewards(rows: Sequence[Row], drawn: Sequence[Completion]) -> list[float | None]:
        texts = [
            answer_in(row["prompt"], one.text) if chat else one.text
            for row, one in zip(rows, drawn, strict=True)
        ]
        said = [i for i, one in enumerate(drawn) if one.finish == "stop" and texts[i].strip()]
        found: list[float | None] = [None if one.finish == "error" else 0.0 for one in drawn]
        known = answered(
            [rows[i] for i in said], [drawn[i] for i in said], [texts[i].strip() for i in said]
        )
        for place, reward in zip(said, known, strict=True):
            found[place] = reward
        return found

    return rewards


def _by_parent(ask: Callable[[Message], Message]) -> _Answered:
    def rewards(
        rows: Sequence[Row], drawn: Sequence[Completion], texts: Sequence[str]
    ) -> list[float]:
        if not rows:
            return []
        asked = {"problems": [row["problem"] for row in rows], "texts": list(texts)}
        found = ask({"reward": asked})["rewards"]
        if len(found) != len(rows):
            raise ValueError(f"{len(rows)} samples but {len(found)} rewards")
        return found

    return rewards


def _by_model(job: Message, device: str) -> _Answered:
    from transformers import AutoTokenizer

    from tasks.finetune.reward_model import load_reward_model, rewards_of

    folder = Path(job["reward"]["model"])
    tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    model = load_reward_model(folder, tokenizer)
    model.to(device)  # pyright: ignore[reportArgumentType]
    model.requires_grad_(False)
    trained = TrainedIds(tokenizer, chat=job.get("chat", False), ends=ends_of(folder))
    at_once = job["resources"]["batch_size"]

    def rewards(
        rows: Sequence[Row], drawn: Sequence[Completion], texts: Sequence[str]
    ) -> list[float]:
        begins = [row["prompt_ids"] for row in rows]
        completions = trained.completions(
            [row["prompt"] for row in rows],
            begins,
            [one.text for one in drawn],
            [one.ids for one in drawn],
            [True] * len(rows),
        )
        whole = [[*begin, *rest] for begin, rest in zip(begins, completions, strict=True)]
        found = rewards_of(model, whole, at_once)
        return [1.0 / (1.0 + math.exp(-max(-_MOST, min(_MOST, one)))) for one in found]

    return rewards
