"""One of several processes that train together: `python -m tasks.finetune.worker DEVICE`.

Started by a launcher, which says in RANK and WORLD_SIZE who it is. The first process has the wire
of tasks/finetune/launch.py at its standard input and tells the others the job. All train; the
first alone asks, tells progress and answers.
"""

from __future__ import annotations

import os
import sys
import traceback

from tasks.errors import StepError, UserError
from tasks.finetune.process_group import Ranks
from tasks.finetune.process_setup import keep_freed_memory
from tasks.finetune.trainer import train
from tasks.processes.wire import Message, Wire


def main() -> None:
    """Serve one job; ends with 1 where the launcher is to end the other processes."""
    ranks = Ranks()
    wire = Wire(os.dup(0), os.dup(0)) if ranks.first else None
    keep_freed_memory()
    try:
        reply: Message = {"done": _train(ranks, wire)}
    except Exception as error:
        traceback.print_exc()
        mistake = isinstance(error, UserError)
        if wire is None:
            # What all find or what the first one found is the first one's to say.
            sys.exit(0 if mistake or isinstance(error, StepError) else 1)
        text = str(error) if mistake else f"{type(error).__name__}: {error}"
        wire.write({"error": text, "mistake": mistake})
        sys.exit(1)
    if wire:
        wire.write(reply)


def _train(ranks: Ranks, wire: Wire | None) -> Message | None:
    device = _device(sys.argv[1], ranks)
    ranks.join(device)
    job: Message | None = ranks.tell(lambda: wire.read() if wire else None)
    if job is None:
        return None
    ask = wire.ask if wire else _no_wire
    progress, alive = (wire.progress, wire.alive) if wire else (None, None)
    reply = train(job, ask, progress, alive)
    ranks.leave()
    return reply


def _no_wire(question: Message) -> Message:
    """The first process alone asks."""
    raise StepError("only the first process asks")


def _device(asked: str, ranks: Ranks) -> str:
    import torch

    if asked == "cpu" or (asked == "auto" and not torch.cuda.is_available()):
        return "cpu"
    here = int(os.environ["LOCAL_WORLD_SIZE"])
    if torch.cuda.device_count() < here:
        raise UserError(
            f"resources.train_processes: {here} processes of a machine need a GPU each; expected "
            f"at most {torch.cuda.device_count()}"
        )
    torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    return "cuda"


if __name__ == "__main__":
    main()
