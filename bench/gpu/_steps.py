"""The steps in order of value, and the process in which each one runs."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from bench.gpu._record import Bench
from tasks.processes.wire import Message, Wire, answer_requests, wire_from_argv


@dataclass(frozen=True)
class Step:
    """A step.

    Attributes:
        function: module:function of bench.gpu, which takes a `Bench`.
        seconds: It is ended then, but for small shapes.
        starts: Whether it starts processes itself and never touches the card, so that it runs in
            the process of the bench.
    """

    function: str
    seconds: float
    starts: bool = False

    def load(self) -> Callable[[Bench], None]:
        """The function."""
        module, _, name = self.function.partition(":")
        return getattr(importlib.import_module(f"bench.gpu.{module}"), name)


STEPS = {
    "card": Step("_card:card", 40),
    "equal": Step("_equal:equal", 50),
    "batches": Step("_equal:batches", 80),
    "sample": Step("_sampling:sample", 70),
    "finetune": Step("_finetuning:finetune", 200),
    "syncs": Step("_syncs:syncs", 40),
    "validation": Step("_whole:validation", 60),
    "resume": Step("_processes:resume", 110, starts=True),
    "fork": Step("_processes:fork", 45, starts=True),
    "families": Step("_families:families", 45),
    "dpo": Step("_families:dpo", 30),
    "shapes": Step("_sampling:shapes", 80),
}


def serve(wire: Wire) -> None:
    """Run the steps asked for; what one raises is written as a line of its."""

    def handle(request: Message, wire: Wire) -> Message:
        return {"whole": run(Bench(**request))}

    answer_requests(wire, handle)


def run(bench: Bench) -> bool:
    """Run one step; whether it raised nothing."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        STEPS[bench.step].load()(bench)
    except BaseException as error:
        bench.failed("", error)
        return False
    return True


if __name__ == "__main__":
    serve(wire_from_argv(sys.argv))
