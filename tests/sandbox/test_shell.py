"""`restem sandbox shell`: what a person sees there is what a program sees."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sandbox.owner import LABEL, labelled_containers
from sandbox.pool import SandboxPool, connect
from sandbox.shell import open_shell
from sandbox.verdict import Job, ProgramStatus
from sandbox.verdict import Test as Case

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "flows.cli", "sandbox", "shell"]
# What of the container's walls a process can see of itself.
LOOK = """
import os, resource
kept = ("CapInh", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp:")
for line in open("/proc/self/status"):
    if line.startswith(kept):
        print(*line.split())
for line in open("/proc/self/mounts"):
    print(*line.split(",lowerdir")[0].split()[1:4])
print(sorted(os.listdir("/sys/class/net")), os.getgroups(), os.getuid() >= 1 << 20)
for name in ("AS", "FSIZE", "NPROC", "NOFILE", "CORE"):
    print(name, resource.getrlimit(getattr(resource, "RLIMIT_" + name))[0] >> 28)
"""


def shell(text: str, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *more], cwd=ROOT, input=text, capture_output=True, text=True, check=False
    )


def test_commands_are_read_from_the_input(image: str) -> None:
    done = shell("id -u\necho no >&2\nexit 7\n")
    assert int(done.stdout) >= 1 << 20
    assert done.stderr == "no\n"
    assert done.returncode == 7


def test_one_that_ends_before_anybody_looks_gives_its_exit_code(
    image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = connect()
    start = client.api.start

    def start_and_end(container: str) -> None:
        start(container)
        while [one for one in client.api.containers(all=True) if one["Id"] == container]:
            time.sleep(0.05)

    monkeypatch.setattr(client.api, "start", start_and_end)
    assert open_shell(client, image, ["/bin/sh", "-c", "exit 7"]) == 7
    client.close()


def test_nothing_can_be_done_there(image: str) -> None:
    tries = (
        "touch /x || echo a\ntouch /etc/x || echo b\nkill -9 1 || echo c\nmount -t tmpfs x /mnt || "
        "echo d\nunshare -U true || echo e\n"
        "python3 -c 'import socket; socket.create_connection((\"1.1.1.1\", 53), 3)' || echo f\n"
        "chroot / true || echo g\n"
    )
    assert shell(tries).stdout.split() == list("abcdefg")


def test_the_walls_are_those_of_programs(image: str) -> None:
    seen = shell(LOOK, "--python")
    assert seen.returncode == 0, seen.stderr
    with SandboxPool(image, workers=1) as pool:
        verdict = pool.judge_now(Job(LOOK, (Case("", seen.stdout),)))
    assert verdict.status is ProgramStatus.CORRECT


def test_on_a_terminal(image: str) -> None:
    ours, theirs = pty.openpty()
    child = subprocess.Popen(COMMAND, cwd=ROOT, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    typed = False
    try:
        while True:
            seen += os.read(ours, 4096)
            if not typed and b"sandbox$ " in seen:
                typed = bool(os.write(ours, b"test -t 0 && echo $((6 * 7))\nexit 3\n"))
    except OSError:  # the other end is closed
        os.close(ours)
    assert child.wait() == 3
    assert b"42\r\n" in seen


def test_nothing_is_left(image: str) -> None:
    client = connect()
    pipe = subprocess.PIPE
    with subprocess.Popen(COMMAND, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin and process.stdout
        print("sleep 100 & echo here", file=process.stdin, flush=True)
        assert process.stdout.readline() == "here\n"
        assert len(labelled_containers(client, LABEL, str(process.pid))) == 1
        print("exit 0", file=process.stdin, flush=True)
    assert labelled_containers(client, LABEL, str(process.pid)) == []
    client.close()
