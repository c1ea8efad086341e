"""Fine-tuning in several processes, one a GPU, started by `accelerate launch`.

The parent starts this file as a script and talks to it as to a single trainer. For each job it
starts a group of processes (tasks/finetune/worker.py) with the shipped configuration of the
strategy (configs/accelerate), and passes messages between the parent and the first of them, over a
socket that stands where their standard input would: the launcher closes all other descriptors. When
one process of the group dies, the launcher ends the rest and this one says so; the next call goes
on from the last checkpoint.

Of several machines (resources.train_machines) this one has the first processes. On each of the
others a launcher is started by the operator's command, such as srun, and this process watches it:
when one dies, all end.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])

from tasks.errors import StepError, UserError
from tasks.finetune.process_group import TRAIN_GROUP
from tasks.paths import CONFIGS, ROOT
from tasks.processes.cores import usable_cores
from tasks.processes.wire import Message, Wire, answer_requests, wire_from_argv

# The operator's, in the environment and in no field: it is run.
MACHINE_COMMAND = "RESTEM_MACHINE_COMMAND"
# How other machines reach this one, where its host name is not it.
MACHINE_ADDRESS = "RESTEM_MACHINE_ADDRESS"
# How long the launchers of other machines may take to end after ours has.
_LEAVE_SECONDS = 30.0
_LOOK_SECONDS = 0.5


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


@contextlib.contextmanager
def _start(resources: Message, stdin: socket.socket) -> Generator[subprocess.Popen[bytes]]:
    """The launcher of this machine; those of others are started before it, and end with it."""
    machines = resources.get("train_machines", 1)
    words = _command(machines)
    place = _place() if machines > 1 else "127.0.0.1"
    others: list[subprocess.Popen[bytes]] = []
    try:
        with _kept_port() as port:
            for rank in range(1, machines):
                start = [word.format(rank=rank) for word in words]
                others.append(_launch(start, resources, rank, place, port, subprocess.DEVNULL))
            with _launch([], resources, 0, place, port, stdin.fileno()) as group:
                threading.Thread(target=_watch, args=(group, others), daemon=True).start()
                yield group
    finally:
        for other in others:
            with contextlib.suppress(subprocess.TimeoutExpired):
                other.wait(_LEAVE_SECONDS)
            other.terminate()
            other.wait()


def _launch(
    start: list[str], resources: Message, rank: int, place: str, port: int, stdin: int
) -> subprocess.Popen[bytes]:
    """The launcher, behind the words that bring it to its machine."""
    count = resources["train_processes"]
    here = count // resources.get("train_machines", 1)
    threads = resources["threads"] or max(1, usable_cores() // here)
    try:
        return subprocess.Popen(
            [
                *start,
                *(sys.executable, "-m", "accelerate.commands.launch"),
                "--config_file",
                str(CONFIGS / "accelerate" / f"{resources['train_strategy']}.yaml"),
                *("--num_machines", str(resources.get("train_machines", 1))),
                *("--machine_rank", str(rank)),
                *("--num_processes", str(count)),
                *("--main_process_ip", place, "--main_process_port", str(port)),
                *("-m", "tasks.finetune.worker", resources["device"]),
            ],
            stdin=stdin,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": str(threads), TRAIN_GROUP: "1"},
        )
    except OSError as error:
        raise UserError(f"{MACHINE_COMMAND}: {start[0]} cannot be started ({error})") from None


def _command(machines: int) -> list[str]:
    """The words that start what follows on machine {rank}.

    Raises:
        UserError: there are none, though there is more than one machine.
    """
    words = shlex.split(os.environ.get(MACHINE_COMMAND, ""))
    if machines > 1 and not words:
        raise UserError(
            f"resources.train_machines: {machines} machines need {MACHINE_COMMAND} in the "
            "environment, the command that starts a process on another one, such as "
            "'srun --nodes=1 --ntasks=1 --relative={rank}'"
        )
    return words


def _place() -> str:
    """This machine, as the others reach it."""
    return os.environ.get(MACHINE_ADDRESS) or socket.gethostname()


def _watch(group: subprocess.Popen[bytes], others: list[subprocess.Popen[bytes]]) -> None:
    """End this machine's processes when those of another one failed."""
    while group.poll() is None:
        if any(other.poll() for other in others):
            group.terminate()
            return
        time.sleep(_LOOK_SECONDS)


@contextlib.contextmanager
def _kept_port() -> Generator[int]:
    """A port of this machine that no other program is given while the group starts.

    The group can listen there all the same: it asks for the address as reused, as we do, and only
    one of the two listens.
    """
    with socket.socket() as kept:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("", 0))
        yield int(kept.getsockname()[1])


if __name__ == "__main__":
    answer_requests(wire_from_argv(sys.argv), handle)
