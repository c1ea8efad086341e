"""A shell where programs run: the same container and limits, for a person who wants to look around.

Standard input may be a terminal; otherwise commands are read from it, and its end ends the shell.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import sys
import termios
import threading
import tty
from collections.abc import Callable, Generator

import docker

from sandbox.container import first_uid, host_config
from sandbox.owner import engine_api, labels, remove
from sandbox.verdict import Limits

_CHUNK = 1 << 16
SHELL = ["/bin/bash", "--norc", "--noprofile"]
PYTHON_COMMAND = ["/usr/bin/python3", "-q"]
# Process 1, which keeps the rights of the one that programs have above them; the shell has none.
_LAUNCH = """
import os, resource, signal, sys
uid, memory, file, processes, *command = [*map(int, sys.argv[1:5]), *sys.argv[5:]]
signal.signal(signal.SIGINT, signal.SIG_IGN)
child = os.fork()
if child == 0:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    most = {"AS": memory, "FSIZE": file, "NPROC": processes, "NOFILE": 64, "CORE": 0}
    for name, value in most.items():
        resource.setrlimit(getattr(resource, "RLIMIT_" + name), (value, value))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    folder = f"/tmp/{uid}"
    os.mkdir(folder, 0o700)
    os.chdir(folder)
    terminal = {"TERM": "xterm"} if os.isatty(0) else {}
    os.execve(command[0], command, {"HOME": folder, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8",
        "PS1": "sandbox$ ", **terminal})
_, status = os.waitpid(child, 0)
sys.exit(os.waitstatus_to_exitcode(status) & 0xFF)
"""


def open_shell(client: docker.DockerClient, image: str, command: list[str] | None = None) -> int:
    """Run a shell, or another command, as programs run; its exit code.

    Args:
        command: With the full path; None: a shell.
    """
    api = engine_api(client)
    terminal = os.isatty(0) and os.isatty(1)
    limits = Limits()
    numbers = map(str, (first_uid() + 1, limits.memory, limits.file, limits.processes))
    made = api.create_container(
        image,
        ["python3", "-I", "-c", _LAUNCH, *numbers, *(command or SHELL)],
        stdin_open=True,
        tty=terminal,
        hostname="sandbox",
        host_config=host_config(client, limits.memory, None),
        labels=labels(),
    )["Id"]
    try:
        streams = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        attached = api.attach_socket(made, params=streams)
        # The engine forgets the container when it ends, so it is asked for the exit code before the
        # start. It has heard that when it sends the head of its answer; api.wait reads all of it.
        asked = f"{api.base_url}/v{api.api_version}/containers/{made}/wait?condition=removed"
        with contextlib.closing(attached), api.post(asked, timeout=None, stream=True) as end:
            end.raise_for_status()
            api.start(made)
            line = getattr(attached, "_sock", attached)
            if terminal:
                with _raw_terminal(lambda: _resize(client, made)):
                    _converse(line)
            else:
                threading.Thread(target=_feed, args=(line,), daemon=True).start()
                _show(line)
            return end.json()["StatusCode"]
    finally:
        remove(client, made)


def _converse(line: socket.socket) -> None:
    """Hand keys to the container and what it writes to the terminal, until it ends."""
    sources: list[socket.socket | int] = [line, 0]
    while True:
        ready = select.select(sources, [], [])[0]
        if line in ready:
            if not (data := line.recv(_CHUNK)):
                return
            _write(1, data)
        if 0 in ready:
            if data := os.read(0, _CHUNK):
                line.sendall(data)
            else:
                sources.remove(0)


def _feed(line: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the shell may end before its input does
        while data := os.read(0, _CHUNK):
            line.sendall(data)
        line.shutdown(socket.SHUT_WR)


def _show(line: socket.socket) -> None:
    """Take the engine's frames apart: output to the output, errors to the errors."""
    with line.makefile("rb") as frames:
        while len(head := frames.read(8)) == 8:
            stream, size = struct.unpack(">BxxxI", head)
            _write(2 if stream == 2 else 1, frames.read(size))


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


@contextlib.contextmanager
def _raw_terminal(resized: Callable[[], None]) -> Generator[None]:
    """Every key goes to the container, and it knows the size of the window."""
    before = termios.tcgetattr(0)
    handler = signal.signal(signal.SIGWINCH, lambda _number, _frame: resized())
    try:
        tty.setraw(0, termios.TCSADRAIN)  # what was typed ahead is kept
        resized()
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        signal.signal(signal.SIGWINCH, handler)


def _resize(client: docker.DockerClient, container: str) -> None:
    with contextlib.suppress(Exception):  # a window of the wrong size is no reason to end
        size = os.get_terminal_size(sys.stdout.fileno())
        engine_api(client).resize(container, size.lines, size.columns)
