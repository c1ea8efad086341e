"""One warm container: closed off when it is made, spoken to over its standard streams."""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import struct
from pathlib import Path
from typing import Any

import docker
import docker.errors

from sandbox.runner import STARVED_FACTOR
from sandbox.verdict import Job, Limits

HERE = Path(__file__).resolve().parent
LABEL = "restem.sandbox"
# What the runner needs: to become another user, to end that user's processes, to remove its files.
CAPABILITIES = ["SETUID", "SETGID", "KILL", "DAC_OVERRIDE"]
PROCESSES = 128
# The interpreter itself, and what the kernel counts for pipes and the scratch folder.
MEMORY_BESIDE = 192 * 2**20
SCRATCH = "rw,nosuid,nodev,noexec,size=32m,nr_inodes=1024,mode=1777"
START_SECONDS = 60.0
# Answers come at the latest after the runner's own bound on a starved program.
SLACK_SECONDS = 30.0

# The modules that run inside, from their texts; each imports those before it.
PARTS = ("runner", "plain", "calls", "checking")
LOADER = """import sys, types
sys.modules["sandbox"] = types.ModuleType("sandbox")
for name, text in zip(sys.argv[2].split(), sys.argv[3:]):
    module = sys.modules["sandbox." + name] = types.ModuleType("sandbox." + name)
    exec(compile(text, name + ".py", "exec"), module.__dict__)
sys.modules["sandbox.runner"].main()
"""

Json = dict[str, Any]


class SandboxFault(Exception):
    """The container, not the program in it, failed."""


class Container:
    """A container whose process 1 is sandbox/runner.py; runs one job at a time."""

    def __init__(
        self, client: docker.DockerClient, image: str, *, memory: int, runtime: str | None = None
    ) -> None:
        """Start it.

        Args:
            client: Of the engine.
            image: Name or digest.
            memory: Largest `Limits.memory` of a job, in bytes.
            runtime: Of the engine, such as runc or runsc; None: its default.

        Raises:
            SandboxFault: it does not come up.
        """
        self._api: Any = client.api
        self.jobs = 0
        self._socket: socket.socket | None = None
        self._kept = bytearray()
        self._parts = bytearray()
        texts = [(HERE / f"{part}.py").read_text() for part in PARTS]
        # Uids are counted over all containers of a kernel, so each has a range of its own.
        first_uid = random.SystemRandom().randrange(1 << 20, 1 << 30, 1 << 16)
        host = self._api.create_host_config(
            network_mode="none",
            ipc_mode="none",
            read_only=True,
            cap_drop=["ALL"],
            cap_add=CAPABILITIES,
            security_opt=["no-new-privileges", f"seccomp={(HERE / 'seccomp.json').read_text()}"],
            pids_limit=PROCESSES,
            mem_limit=memory + MEMORY_BESIDE,
            memswap_limit=memory + MEMORY_BESIDE,
            tmpfs={"/tmp": SCRATCH},
            log_config={"Type": "none"},
            runtime=runtime,
            auto_remove=True,
        )
        try:
            made = self._api.create_container(
                image,
                # -I: no environment, no user site; -S would lose numpy.
                ["python3", "-I", "-c", LOADER, str(first_uid), " ".join(PARTS), *texts],
                stdin_open=True,
                environment={"PYTHONHASHSEED": "0", "OPENBLAS_NUM_THREADS": "1"},
                hostname="sandbox",
                host_config=host,
                labels={LABEL: str(os.getpid())},
            )
            self.id = made["Id"]
            attached = self._api.attach_socket(
                self.id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
            self._socket = getattr(attached, "_sock", attached)
            self._keep = attached  # its finaliser closes the socket
            self._api.start(self.id)
            self._timeout(START_SECONDS)
            if "ready" not in self._receive():
                raise SandboxFault("the runner did not start")
        except (docker.errors.APIError, OSError) as error:
            self.close()
            raise SandboxFault(f"no container: {error}") from None

    def run(self, job: Job, seen: Any) -> None:
        """Run a job; `seen(test, report)` gets every report and says whether to go on.

        Raises:
            SandboxFault: the container is of no use any more; the job was not judged.
        """
        self.jobs += 1
        name = f"{self.id[:8]}-{self.jobs}"
        call = job.entry is not None
        tests = [{"args": t.args} if call else {"stdin": t.stdin} for t in job.tests]
        message = {"id": name, "program": job.program, "entry": job.entry, "tests": tests}
        message["wrap"], message["checked"] = job.wrap, job.check is not None
        self._timeout(job.limits.cpu * STARVED_FACTOR + SLACK_SECONDS)
        try:
            self._send({**message, "limits": _limits(job.limits)})
            if job.check is not None:  # apart, so that it is never in a memory the program gets
                self._send({"id": name, "source": job.check})
            going = True
            while "done" not in (report := self._receive()):
                if report.get("id") != name:
                    raise SandboxFault("an answer to another job")
                if going and not seen(report["test"], report):
                    going = False
                    self._send({"stop": name})
        except (OSError, ValueError, KeyError) as error:
            raise SandboxFault(f"{type(error).__name__}: {error}") from None

    def close(self) -> None:
        """Remove the container, whatever state it is in."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._keep.close()
        if hasattr(self, "id"):
            with contextlib.suppress(docker.errors.APIError, OSError):
                self._api.remove_container(self.id, force=True)

    def _timeout(self, seconds: float) -> None:
        assert self._socket is not None
        self._socket.settimeout(seconds)

    def _send(self, message: Json) -> None:
        assert self._socket is not None
        body = json.dumps(message).encode()
        self._socket.sendall(struct.pack(">I", len(body)) + body)

    def _receive(self) -> Json:
        """The runner's next frame, out of the engine's own frames around its streams."""
        while True:
            if len(self._kept) >= 4:
                size = struct.unpack(">I", self._kept[:4])[0]
                if len(self._kept) >= 4 + size:
                    body = bytes(self._kept[4 : 4 + size])
                    del self._kept[: 4 + size]
                    return json.loads(body)
            self._read_more()

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


def _limits(limits: Limits) -> Json:
    return dict(vars(limits))
