"""A warm process that child processes are forked from, so that none imports torch again.

Importing torch, transformers and TRL costs 6 to 8 s of processor time; a run starts an engine and
a trainer in every iteration. The server imports them once and then only forks. It has one thread
and never runs a tensor operation itself, so the fork is safe (also for CUDA, which is first
touched in the children). Why not multiprocessing's: docs/decisions/0002-fork-server.md.

A child is a session of its own. It gets SIGKILL when the server ends; the server runs under
tasks/processes/guard.py and so ends with the run, whatever ends that.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import TypedDict

from tasks.paths import GUARD, ROOT
from tasks.processes.guard import PR_SET_PDEATHSIG

_MESSAGE = 1 << 20
# Read when torch is loaded, so the children could not set them any more.
FORK_ENVIRONMENT = {
    # is_available() must not create a CUDA context that forks could not use.
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",
    # How long an idle thread spins before it sleeps. A long time (the default) is a few percent
    # faster on a quiet machine and 20 times slower beside one busy neighbour on two cores, because
    # it keeps the core from whoever it waits for; not at all is a third slower on a quiet one.
    "GOMP_SPINCOUNT": "10000",
    "TOKENIZERS_PARALLELISM": "false",
}


class ForkServer:
    """The parent's handle on a fork server process."""

    def __init__(self, preload: list[str], log: Path) -> None:
        """Start it; `preload` are modules to import before the first fork."""
        mine, theirs = socket.socketpair()
        guard_end, self._lifeline = os.pipe()
        log.parent.mkdir(parents=True, exist_ok=True)
        fd = theirs.fileno()
        with log.open("ab") as sink:
            self._guard = subprocess.Popen(
                [
                    sys.executable,
                    "-SE",
                    str(GUARD),
                    str(guard_end),
                    str(fd),
                    sys.executable,
                    "-m",
                    "tasks.processes.fork_server",
                    str(fd),
                    ",".join(preload),
                ],
                pass_fds=[guard_end, fd],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                cwd=ROOT,
                env=FORK_ENVIRONMENT | os.environ,
            )
        os.close(guard_end)
        theirs.close()
        self._socket = mine
        self._lock = threading.Lock()  # a request and its reply belong together

    def fork(self, target: str, fds: list[int], env: dict[str, str]) -> int:
        """Fork a child that calls `module:function` with a wire; returns its process id.

        Args:
            fds: Read end, write end and log of the child; copies travel.
            env: Variables added to the child's environment.

        Raises:
            OSError: the fork server is gone.
        """
        request = json.dumps({"target": target, "env": env}).encode()
        with self._lock:
            self._wake()
            socket.send_fds(self._socket, [request], fds)
            return self._reply()

    def wait(self, pid: int) -> int:
        """Exit code of a child that has ended (negative: the signal)."""
        with self._lock:
            self._wake()
            self._socket.sendall(json.dumps({"wait": pid}).encode())
            return self._reply()

    def alive(self) -> bool:
        """Whether it still runs."""
        return self._guard.poll() is None

    def close(self) -> None:
        """End it and its children; a thread that waits for it gets an OSError."""
        if self._lifeline >= 0:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
            os.close(self._lifeline)
            self._lifeline = -1
        self._guard.wait()

    def _wake(self) -> None:
        """Let it go on if somebody stopped it together with a child of its."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._guard.pid, signal.SIGCONT)

    def _reply(self) -> int:
        reply = self._socket.recv(_MESSAGE)
        if not reply:
            raise OSError("the fork server process is gone")
        return int(reply)


class _Request(TypedDict):
    """What a child is to run: module:function, and what its environment has beside ours."""

    target: str
    env: dict[str, str]


def main() -> None:
    """Import, then fork on request until the other end closes. The body of the process."""
    link = socket.socket(fileno=int(sys.argv[1]))
    for name in filter(None, sys.argv[2].split(",")):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    while True:
        message, fds, _, _ = socket.recv_fds(link, _MESSAGE, 3)
        if not message:
            return
        request = json.loads(message)
        if "wait" in request:
            _, status = os.waitpid(request["wait"], 0)
            reply = os.waitstatus_to_exitcode(status)
        else:
            parent = os.getpid()
            reply = os.fork()
            if reply == 0:
                link.close()
                _child(request, fds, parent)
            for fd in fds:
                os.close(fd)
        link.sendall(str(reply).encode())


def _child(request: _Request, fds: list[int], parent: int) -> None:
    """The forked process: never returns."""
    code = 1
    try:
        os.setsid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # the fork server ended before the line above
        read_fd, write_fd, log = fds
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.close(log)
        os.environ.update(request["env"])
        module, function = request["target"].split(":")
        from tasks.processes.wire import Wire

        getattr(importlib.import_module(module), function)(Wire(read_fd, write_fd))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
