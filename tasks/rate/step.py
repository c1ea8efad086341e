"""The step `rate`: a real-valued reward for every sample of a shard, by a judge or a reward model.

The reward of a reward model is sigmoid(r), so that all rewards lie in [0, 1]. What is rated is a
finished sample with a text; any other has reward 0 and the status `no_answer`, and one that the
judge could not rate `engine_error`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import pyarrow.parquet as pq

from tasks.compare.judge_prompt import load_judge_prompt
from tasks.compare.label import Costs
from tasks.compare.step import JUDGE, judge_stats, judging, open_judge
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import RATE
from tasks.decoding.chat import Chat
from tasks.prompts import PromptChoice, load_template
from tasks.rows import (
    PROBLEMS_FILE,
    SAMPLES_FILE,
    TIMING,
    TIMINGS_FILE,
    TOKEN_IDS,
    VERDICT,
    VERDICTS_FILE,
    Row,
    Status,
    answer_of,
    read_rows,
    write_rows,
)
from tasks.settings.judge import JudgeSettings
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

_SAMPLES, _MODEL = "samples", "reward model"


def rate_call(
    label: str,
    samples: ArtifactRef,
    references: str,
    problems: ArtifactRef,
    hints: dict[str, object],
    *,
    model: ArtifactRef | None = None,
    template: PromptChoice | None = None,
    prompt: str = "",
    shots: int = 0,
    judge: ArtifactRef | None = None,
    settings: JudgeSettings | None = None,
    engine: Mapping[str, object] | None = None,
) -> Call:
    """The call that rates one shard of samples, by `model` or by `judge`.

    Args:
        label: Name of the task run.
        samples: The shard.
        references: Digest of the block of problems that it answers.
        problems: Artifact in which the block lies.
        hints: The block's split, start and stop.
        model: The reward model.
        template: Prompts that it was fit with,
        prompt: the digest of their template,
        shots: and their exemplars.
        judge: Or the model that is asked,
        settings: how,
        engine: and its engine and dtype.
    """
    keyed: dict[str, object] = {"references": references}
    inputs, context = {_SAMPLES: samples}, {"problems": problems}
    if model is not None:
        assert template is not None
        keyed |= {"prompt": prompt, "shots": shots}
        hints = {**hints, **template.hints()}
        return Call(rate_shard, label, keyed, inputs | {_MODEL: model}, hints, context)
    assert judge is not None and settings is not None
    keyed |= {"prompt": judging(settings)["prompt"], **(engine or {})}
    hints = {**hints, "template": settings.prompt}
    return Call(rate_shard, label, keyed, inputs | {JUDGE: judge}, hints, context)


@step(RATE, "verdicts")
def rate_shard(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write a verdict with a real-valued reward for each sample."""
    hints = call.hints
    stored = runtime.store.path(call.context["problems"]) / PROBLEMS_FILE
    split = [row for row in read_rows(stored) if row["split"] == hints["split"]]
    problems = {row["id"]: row for row in split[hints["start"] : hints["stop"]]}
    shard = runtime.store.path(call.inputs[_SAMPLES]) / SAMPLES_FILE
    rows = list(read_rows(shard, pq.read_schema(shard).names))
    asked = [row for row in rows if row["finish"] == "stop" and answer_of(row).strip()]
    rate = _by_judge if JUDGE in call.inputs else _by_model
    rewards, costs = rate(call, runtime, problems, asked)
    known = {
        (row["problem_id"], row["index"]): reward
        for row, reward in zip(asked, rewards, strict=True)
        if reward is not None
    }
    lost = {(row["problem_id"], row["index"]) for row in asked} - known.keys()

    unrated = {True: Status.ENGINE_ERROR, False: Status.NO_ANSWER}

    def verdicts() -> Iterator[Row]:
        for row in rows:
            key = row["problem_id"], row["index"]
            yield {
                "problem_id": key[0],
                "index": key[1],
                "reward": known.get(key, 0.0),
                "status": Status.RATED if key in known else unrated[key in lost],
                "extracted": "",
                "first_failure": -1,
            }

    draft.rows = write_rows(draft.path / VERDICTS_FILE, VERDICT, verdicts())
    write_rows(draft.path / TIMINGS_FILE, TIMING, ({"seconds": 0.0} for _ in rows))
    draft.volatile = {TIMINGS_FILE}
    mean = sum(known.values()) / len(known) if known else 0.0
    note = f"mean reward {mean:.3f} of {len(known):,} samples"
    note += f", {len(lost):,} that the judge could not rate" if lost else ""
    draft.stats = judge_stats(costs, note) if costs else Stats(note=note)


def _by_judge(
    call: Call, runtime: Runtime, problems: dict[str, Row], rows: list[Row]
) -> tuple[list[float | None], Costs | None]:
    prompt = load_judge_prompt(call.hints["template"], call.settings["prompt"])
    judge = open_judge(call, runtime, prompt)
    questions = [problems[row["problem_id"]]["question"] for row in rows]
    return judge.rate(questions, [answer_of(row).strip() for row in rows]), judge.costs


def _by_model(
    call: Call, runtime: Runtime, problems: dict[str, Row], rows: list[Row]
) -> tuple[list[float | None], Costs | None]:
    model = call.inputs[_MODEL]
    template = load_template(PromptChoice.of(call.hints), call.settings["prompt"])
    chat = Chat(runtime.store.path(model), template) if template.form == "chat" else None
    render, shots = (chat or template).render, call.settings["shots"]
    prompts = {
        name: render(row["question"], shots, row["subject"]) for name, row in problems.items()
    }
    texts = [(prompts[row["problem_id"]], row["text"], row.get(TOKEN_IDS)) for row in rows]
    found = runtime.rater(model, chat is not None).rewards(texts)
    return [1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, one)))) for one in found], None
