"""Fine-tuning in several processes, one a GPU, started by `accelerate launch`.

The parent starts this file as a script and talks to it as to a single trainer. For each job it
starts a group of processes (tasks/finetune/worker.py) with the shipped configuration of the
strategy (configs/accelerate), and passes messages between the parent and the first of them, over a
socket that stands where their standard input would: the launcher closes all other descriptors. When
one process of the group dies, the launcher ends the rest and this one says so; the next call goes
on from the last checkpoint.

Does not cover more than one machine.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tasks.errors import StepError, UserError
from tasks.finetune.process_group import TRAIN_GROUP
from tasks.paths import CONFIGS, ROOT
from tasks.processes.wire import Message, Wire, answer_requests, wire_from_argv


def handle(job: Message, parent: Wire) -> Message:
    """Train in a group of processes.

    Args:
        job: As tasks.finetune.trainer.train takes it.
        parent: Answers questions and hears of progress.

    Raises:
        UserError: a mistake of the user's, found by the first process.
        StepError: a process died.
    """
    ours, theirs = socket.socketpair()
    with ours, _start(job["resources"], theirs) as group:
        theirs.close()
        wire = Wire(os.dup(ours.fileno()), os.dup(ours.fileno()))
        try:
            wire.write(job)
            while (message := wire.read()) is not None:
                if "progress" in message:
                    parent.progress(*message["progress"])
                elif "alive" in message:
                    parent.alive()
                elif "ask" in message:
                    wire.write({"answer": parent.ask(message["ask"])})
                else:
                    break
        except (BrokenPipeError, ConnectionResetError):
            message = None
        finally:
            # Whatever happened here, a first process that still waits for an answer ends.
            ours.shutdown(socket.SHUT_RDWR)
            wire.close()
        code = group.wait()
    if message is None:
        raise StepError(f"a process of the fine-tune died (launcher's exit code {code})")
    if "error" in message:
        raise (UserError if message.get("mistake") else StepError)(message["error"])
    return message["done"]


def _start(resources: Message, stdin: socket.socket) -> subprocess.Popen[bytes]:
    count = resources["train_processes"]
    threads = resources["threads"] or max(1, len(os.sched_getaffinity(0)) // count)
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "accelerate.commands.launch"),
            *("--config_file", str(CONFIGS / "accelerate" / f"{resources['train_strategy']}.yaml")),
            *("--num_processes", str(count), "--main_process_port", str(_free_port())),
            *("-m", "tasks.finetune.worker", resources["device"]),
        ],
        stdin=stdin.fileno(),
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": str(threads), TRAIN_GROUP: "1"},
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    answer_requests(wire_from_argv(sys.argv), handle)
