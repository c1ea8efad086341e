"""A Docker daemon of a bench's own, which may be killed: nothing else on the machine uses it."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import docker
import docker.errors
import psutil

from sandbox.image import TAG
from sandbox.pool import connect
from tasks.errors import StepError, UserError

DOCKER_START_SECONDS = 60.0
STOP_SECONDS = 60.0


class OwnEngine:
    """The daemon, with the sandbox's image in it; a context manager that leaves nothing."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            UserError: this user cannot, or there is no dockerd.
            StepError: it does not come up.
        """
        if os.geteuid() != 0:
            raise UserError("a Docker daemon of its own needs root")
        self._dockerd, self._containerd = _find("dockerd"), _find("containerd")
        self.root = Path(tempfile.mkdtemp(prefix="restem-engine-"))
        self.address = f"unix://{self.root}/docker.sock"
        self._process: subprocess.Popen[bytes] | None = None
        # With a containerd that it does not have to start, a killed daemon's containers live on, as
        # they do on a server.
        options = {"root": "containerd", "state": "state", "address": "containerd.sock"}
        flags = [f"--{key}={self.root / name}" for key, name in options.items()]
        self._below = self._spawn([self._containerd, "--config=/dev/null", *flags])
        try:
            self.start()
            self._copy_image()
        except BaseException:
            self.close()
            raise

    def start(self) -> None:
        """Start the daemon, and wait until it answers.

        Raises:
            StepError: it does not.
        """
        options = {
            "data-root": self.root / "data",
            "exec-root": self.root / "exec",
            "pidfile": self.root / "docker.pid",
            "host": self.address,
            "containerd": self.root / "containerd.sock",
            "bridge": "none",
            "iptables": "false",
            "ip-masq": "false",
        }
        flags = [f"--{key}={value}" for key, value in options.items()]
        self._process = self._spawn([self._dockerd, *flags])
        deadline = time.monotonic() + DOCKER_START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                client = self.client()
                client.ping()
                client.close()
                return
            except (docker.errors.DockerException, OSError):
                time.sleep(0.1)
        raise StepError(f"dockerd did not start: {self._last_words()}")

    def client(self) -> docker.DockerClient:
        """A client; the caller closes it."""
        return docker.DockerClient(self.address, timeout=60)

    def kill(self) -> None:
        """End the daemon as a crash would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def processes(self) -> list[psutil.Process]:
        """The daemon, its helpers, and those of its containers."""
        mine = str(self.root).encode()
        found = []
        for process in psutil.process_iter():
            try:
                words = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            except OSError:
                continue
            if mine in words:
                found.append(process)
        return found

    def shims(self) -> int:
        """Containers that still have a process on this machine."""
        return sum("shim" in _name(process) for process in self.processes())

    def close(self) -> None:
        """Stop it and remove its files."""
        for process in (self._process, self._below):
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        for process in self.processes():
            process.kill()
        for line in reversed(Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()):
            if (place := line.split()[4]).startswith(f"{self.root}/"):
                subprocess.run(["umount", "-l", place], check=False, capture_output=True)
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self) -> OwnEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _spawn(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self.root / "log").open("ab") as log:
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )

    def _copy_image(self) -> None:
        theirs, ours = connect(), self.client()
        try:
            image: Any = theirs.images.get(TAG)
            ours.images.load(image.save(named=TAG))
        except docker.errors.ImageNotFound:
            raise UserError(f"image {TAG} is missing; run `restem sandbox build`") from None
        finally:
            theirs.close()
            ours.close()

    def _last_words(self) -> str:
        lines = (self.root / "log").read_text(errors="replace", encoding="utf-8").splitlines()
        return lines[-1][-300:] if lines else "it said nothing"


def _find(program: str) -> str:
    # Debian puts some where the path of a plain user does not lead.
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")
    if found is None:
        raise UserError(f"a Docker daemon of its own needs {program}")
    return found


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return ""
