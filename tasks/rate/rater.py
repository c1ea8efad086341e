"""A reward model at work: (prompt, sample) to a number, in a child process of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.dag.contracts import Rated
from tasks.processes.child import Child
from tasks.processes.cores import usable_cores
from tasks.processes.wire import Message, Wire, answer_requests
from tasks.settings import Resources

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from tasks.decoding.trained_ids import TrainedIds

RATER = "tasks.rate.rater:main"


class RewardModel:
    """Rates texts; the process starts, and loads the model, at the first request."""

    def __init__(self, folder: Path, resources: Resources, log: Path, *, chat: bool) -> None:
        """Nothing is started yet.

        Args:
            folder: Of the reward model.
            resources: Device, threads, batch size.
            log: File for the output of the child.
            chat: Whether prompts are rendered chats.
        """
        self._options: Message = {
            "model": str(folder.resolve()),
            "chat": chat,
            "device": resources.device,
            "threads": resources.threads,
            "batch_size": resources.batch_size,
        }
        self._stall, self._log = resources.stall_seconds, log
        self._child: Child | None = None

    def rewards(self, texts: Sequence[Rated]) -> list[float]:
        """See `Rater`."""
        if not texts:
            return []
        if self._child is None:
            self._child = Child.module(RATER, log=self._log)
        request = {**self._options, "texts": [list(pair) for pair in texts]}
        return self._child.call(request, stall=self._stall)["rewards"]

    def close(self) -> None:
        """End the process."""
        child, self._child = self._child, None
        if child is not None:
            child.close()


def main(wire: Wire) -> None:
    """Serve requests of `RewardModel`."""
    loaded: list[tuple[TrainedIds, PreTrainedModel]] = []

    def handle(request: Message, wire: Wire) -> Message:
        import torch
        from transformers import AutoTokenizer

        from tasks.decoding.trained_ids import TrainedIds, ends_of
        from tasks.finetune.reward_model import load_reward_model, rewards_of
        from tasks.fit.pack import whole_ids

        folder, chat = Path(request["model"]), request["chat"]
        if not loaded:
            torch.set_num_threads(request["threads"] or usable_cores())
            device = request["device"]
            if device == "auto":
                device = "cuda" if torch.cuda.is_available() else "cpu"
            tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
            model: Any = load_reward_model(folder, tokenizer)
            trained = TrainedIds(tokenizer, chat=chat, ends=ends_of(folder))
            loaded.append((trained, model.to(device)))
        [(ids_of, judge)] = loaded
        ids = whole_ids(ids_of, [tuple(one) for one in request["texts"]])
        return {"rewards": rewards_of(judge, ids, request["batch_size"])}

    answer_requests(wire, handle)
