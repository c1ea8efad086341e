"""One warm container: closed off when it is made, spoken to over its standard streams."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
from collections.abc import Callable
from pathlib import Path

import docker
import docker.errors

from sandbox import wire
from sandbox.inside.frames import ANSWER, COMPILE_ERROR, NO_CHECK, READY, STOPPED, Answer
from sandbox.inside.limits import (
    COMPILE_SECONDS,
    CONTAINER_PROCESSES,
    CONTAINER_START_SECONDS,
    MEMORY_BESIDE,
    SCRATCH_OPTIONS,
    SLACK_SECONDS,
    STARVED_FACTOR,
)
from sandbox.owner import engine_api, labels
from sandbox.verdict import Job, Report

_HERE = Path(__file__).resolve().parent
# What the runner needs: to become another user, to end that user's processes, to remove its files.
CAPABILITIES = ["SETUID", "SETGID", "KILL", "DAC_OVERRIDE"]
VARIABLES = {
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    # Else each thread may reserve 64 MB of address space beside its stack, or not: as it happens.
    "MALLOC_ARENA_MAX": "1",
}
# The modules that run inside, from their texts; each imports those before it.
INSIDE_MODULES = (
    *(
        "limits",
        "frames",
        "moving",
        "values",
        "program",
        "prepare",
        "meters",
        "watching",
        "cleaning",
        "plain",
        "lending",
        "stand_ins",
        "calls",
        "checking",
        "nodes",
        "compiling",
        "judging",
        "interactive",
    ),
    "runner",
)
LOADER = """import sys, types
for name in ("sandbox", "sandbox.inside"):
    sys.modules[name] = types.ModuleType(name)
for name, text in zip(sys.argv[2].split(), sys.argv[3:]):
    module = sys.modules["sandbox.inside." + name] = types.ModuleType("sandbox.inside." + name)
    exec(compile(text, name + ".py", "exec"), module.__dict__)
sys.modules["sandbox.inside.runner"].main()
"""


def hardening(memory: int) -> dict[str, object]:
    """What closes a container off, as options of the engine.

    Args:
        memory: Largest `Limits.memory` of a job, in bytes.
    """
    return {
        "network_mode": "none",
        "ipc_mode": "none",
        "read_only": True,
        "cap_drop": ["ALL"],
        "cap_add": CAPABILITIES,
        "security_opt": [
            "no-new-privileges",
            f"seccomp={(_HERE / 'seccomp.json').read_text(encoding='utf-8')}",
        ],
        "pids_limit": CONTAINER_PROCESSES,
        "mem_limit": memory + MEMORY_BESIDE,
        "memswap_limit": memory + MEMORY_BESIDE,
        "tmpfs": {"/tmp": SCRATCH_OPTIONS},
    }


class SandboxFault(Exception):
    """The container, not the program in it, failed."""


class NoContainer(SandboxFault):
    """No container could be started; no job was in it.

    Attributes:
        lasting: Whether the engine refuses what it is asked for, so that asking again is no use.
    """

    def __init__(self, text: str, *, lasting: bool = False) -> None:
        super().__init__(text)
        self.lasting = lasting


def host_config(client: docker.DockerClient, memory: int, runtime: str | None) -> object:
    """`hardening` in the engine's words, for containers that go when they end.

    Args:
        memory: Largest `Limits.memory` of a job, in bytes.
        runtime: Of the engine; None: its default.
    """
    return engine_api(client).create_host_config(
        **hardening(memory), log_config={"Type": "none"}, runtime=runtime, auto_remove=True
    )


def first_uid() -> int:
    """Below those that programs of one container get.

    Uids are counted over all containers of a kernel, so each container has a range of its own.
    """
    return random.SystemRandom().randrange(1 << 20, 1 << 30, 1 << 16)


class Container:
    """A container whose process 1 is sandbox/inside/runner.py; runs one job at a time."""

    def __init__(
        self,
        client: docker.DockerClient,
        image: str,
        *,
        memory: int,
        runtime: str | None = None,
        pool: str = "",
    ) -> None:
        """Start it.

        Args:
            memory: Largest `Limits.memory` of a job, in bytes.
            runtime: Of the engine, such as runc or runsc; None: its default.
            pool: Whose it is, for the label.

        Raises:
            NoContainer: it does not come up.
        """
        self._api = engine_api(client)
        self.jobs = 0
        self._stopping = False
        self._socket: socket.socket | None = None
        self._kept = bytearray()
        self._parts = bytearray()
        texts = [
            (_HERE / "inside" / f"{part}.py").read_text(encoding="utf-8") for part in INSIDE_MODULES
        ]
        try:
            made = self._api.create_container(
                image,
                # No user site, no working folder; the environment is VARIABLES, with the seed of
                # hashes, so that a set has one order everywhere. -S would lose numpy.
                [
                    "python3",
                    "-sP",
                    "-c",
                    LOADER,
                    str(first_uid()),
                    " ".join(INSIDE_MODULES),
                    *texts,
                ],
                stdin_open=True,
                environment=VARIABLES,
                hostname="sandbox",
                host_config=host_config(client, memory, runtime),
                labels=labels(pool),
            )
            self.id = made["Id"]
            attached = self._api.attach_socket(
                self.id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
            self._socket = getattr(attached, "_sock", attached)
            self._keep = attached  # its finaliser closes the socket
            self._api.start(self.id)
            self._timeout(CONTAINER_START_SECONDS)
            if self._answer()[0].reason != READY:
                raise NoContainer("the runner did not start")
        except (docker.errors.APIError, OSError, SandboxFault) as error:
            self.close()
            refused = isinstance(error, docker.errors.APIError) and error.is_client_error()
            raise NoContainer(f"no container: {error}", lasting=bool(refused)) from None

    def run(self, job: Job, seen: Callable[[int, Report], bool]) -> None:
        """Run a job; `seen(test, report)` gets every report and says whether to go on.

        Raises:
            SandboxFault: the container is of no use any more; the job was not judged.
        """
        first = 0
        for part in wire.parts_of(job):
            if not self._run_part(part, lambda test, report, at=first: seen(at + test, report)):
                return
            first += len(part.tests)

    def _run_part(self, job: Job, seen: Callable[[int, Report], bool]) -> bool:
        """Run a job whose inputs the container can hold; whether the job goes on."""
        self.jobs += 1
        longest = max(job.limits.cpu, COMPILE_SECONDS if job.language == "cpp" else 0.0)
        self._timeout(longest * STARVED_FACTOR + SLACK_SECONDS)
        try:
            # Before anything is sent: the runner may be at an answer to the job that was stopped.
            while self._stopping and self._answer()[0].reason != STOPPED:
                pass
            self._stopping = False
            self._send(wire.pack_job(job, self.jobs))
            for test in range(len(job.tests)):
                answer, output, errors = self._answer()
                if (answer.job, answer.test) != (self.jobs, test):
                    raise SandboxFault("an answer to another job")
                going = seen(test, wire.test_report(answer, output, errors, job))
                if answer.reason in (COMPILE_ERROR, NO_CHECK):
                    return False
                if not going:
                    if test + 1 < len(job.tests):
                        self._send(wire.pack_stop(self.jobs))
                        self._stopping = True
                    return False
            return True
        except (OSError, ValueError, KeyError) as error:
            raise SandboxFault(f"{type(error).__name__}: {error}") from None

    def close(self) -> None:
        """Remove the container, whatever state it is in."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                # The stream alone would leave the connection below it open, and these pile up.
                getattr(self._keep, "_response", self._keep).close()
                self._keep.close()
        if hasattr(self, "id"):
            with contextlib.suppress(docker.errors.APIError, OSError):
                self._api.remove_container(self.id, force=True)

    def _timeout(self, seconds: float) -> None:
        assert self._socket is not None
        self._socket.settimeout(seconds)

    def _send(self, data: bytes) -> None:
        assert self._socket is not None
        self._socket.sendall(data)

    def _answer(self) -> tuple[Answer, bytes, bytes]:
        """The runner's next answer, what was printed and the errors."""
        answer = Answer(*ANSWER.unpack(self._receive(ANSWER.size)))
        return answer, self._receive(answer.output), self._receive(answer.errors)

    def _receive(self, count: int) -> bytes:
        """So many bytes of the runner, out of the engine's own frames around its streams."""
        while len(self._kept) < count:
            self._read_more()
        body = bytes(self._kept[:count])
        del self._kept[:count]
        return body

    def _read_more(self) -> None:
        assert self._socket is not None
        while True:
            if len(self._parts) >= 8:
                stream, size = struct.unpack(">BxxxI", self._parts[:8])
                if len(self._parts) >= 8 + size:
                    body = self._parts[8 : 8 + size]
                    del self._parts[: 8 + size]
                    if stream != 1:
                        raise SandboxFault(f"the runner failed: {body.decode(errors='replace')}")
                    self._kept += body
                    return
            part = self._socket.recv(1 << 16)
            if not part:
                raise SandboxFault("the container ended")
            self._parts += part
