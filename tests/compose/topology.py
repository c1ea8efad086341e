"""Starts the processes of docker-compose.yml on this machine, without containers.

    python -m tests.compose.topology FOLDER      until Ctrl-C

It reads the file itself: the same commands, environment, health checks, order and restarts. What a
container gives is put in its place: host names become 127.0.0.1 and ports free ones, volumes and
tmpfs become folders, images become Debian's PostgreSQL and Redis and this Python, and one guard
(tasks/processes/guard.py) a service ends all that the service started, as the end of process 1
does. What belongs to a container alone is left out: networks, users, capabilities, limits. So is
the nested engine with the job that needs it, unless an engine is given in its place.

Nothing outlives the process that started it, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from tasks.paths import ROOT
from tests.compose.compose_file import EXAMPLE, ComposeError, Service, read_env, read_services
from tests.compose.topology_local import Postgres, Translation, missing
from tests.ports import free_port

GUARD = ROOT / "tasks" / "processes" / "guard.py"
# A hang guard: on a busy machine Prefect alone took a minute to start.
HEALTHY_SECONDS = 600.0
STOP_SECONDS = 15.0
# Docker doubles the wait from 0.1 s; runs should not wait a minute here.
BACKOFF_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2)
STEADY_SECONDS = 10.0
_POLL = 0.5
_FIT, _DONE = "service_healthy", "service_completed_successfully"


class TopologyError(Exception):
    """A part did not start; the message names it and its log."""


@dataclass
class Part:
    """A service as it runs here."""

    service: Service
    guard: subprocess.Popen[bytes] | None = None
    lifeline: int = -1
    held: bool = False  # killed on purpose: not started again until `restart`
    starts: int = 0
    born: float = 0.0
    failures: int = 0
    due: float = 0.0
    lock: threading.RLock = field(default_factory=threading.RLock)


class Topology:
    """The processes of docker-compose.yml; a context manager.

    Attributes:
        api: Address of Prefect's API.
        auth: user:password that it asks for.
        pages: Address of the pages.
        home: RESTEM_HOME of the worker and its runs.
        folder: Volumes and logs.
    """

    def __init__(self, folder: Path, *, engine: str | None = None) -> None:
        """Read the file and choose ports.

        Args:
            folder: For volumes and logs; made if missing.
            engine: DOCKER_HOST to take in place of the nested engine; None leaves it out.

        Raises:
            ComposeError: the file cannot be filled in.
        """
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        env = read_env(EXAMPLE)
        env |= {name: secrets.token_hex(16) for name, value in env.items() if not value}
        env["PREFECT_AUTH"] = f"restem:{env['PREFECT_AUTH']}"
        self.services = read_services(env)
        ports = [port for service in self.services.values() for port in service.ports]
        self.ports = {port: free_port() for port in ports}
        self._translation = Translation(self.services, self.ports, self.folder, engine)
        self._postgres = Postgres(self.folder)
        self._parts = {
            name: Part(service)
            for name, service in self.services.items()
            if self._translation.has(service)
        }
        self.auth = env["PREFECT_AUTH"]
        self.api = f"http://127.0.0.1:{self.ports[4200]}/api"
        self.pages = f"http://127.0.0.1:{self.ports[4201]}"
        self.home = Path(self.environment("worker")["RESTEM_HOME"])
        self._over = threading.Event()
        self._watcher = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> Topology:
        """Start everything in the order of depends_on; comes back when all of it is healthy.

        Raises:
            TopologyError: a part did not start.
        """
        if lacking := missing():
            raise TopologyError(f"not installed: {', '.join(lacking)}")
        try:
            waiting, done = set(self._parts), set[str]()
            deadline = time.monotonic() + HEALTHY_SECONDS
            while waiting:
                for name in sorted(waiting):
                    needs = set(self._parts[name].service.needs) & set(self._parts)
                    if self._parts[name].starts == 0 and needs <= done:
                        self._launch(self._parts[name])
                    if self._parts[name].starts and self._is_fit(self._parts[name]):
                        waiting.remove(name)
                        done.add(name)
                if time.monotonic() > deadline:
                    raise TopologyError(f"not healthy: {', '.join(sorted(waiting))}: {self.folder}")
                time.sleep(_POLL)
        except BaseException:
            self.stop()
            raise
        self._watcher.start()
        return self

    def kill(self, name: str) -> None:
        """SIGKILL everything of a service, as `docker kill` does; `restart` brings it back."""
        part = self._parts[name]
        with part.lock:
            part.held = True
            self._end(part)

    def crash(self, name: str) -> None:
        """SIGKILL a service's first process, which ends its container; it is started again."""
        os.kill(self.pid(name), signal.SIGKILL)

    def restart(self, name: str) -> None:
        """Start a killed service, or end and start a running one; comes back when it is healthy.

        Raises:
            TopologyError: it does not become healthy.
        """
        part = self._parts[name]
        with part.lock:
            self._end(part)
            part.held = False
            self._launch(part)
        self.wait(name)

    def wait(self, name: str) -> None:
        """Until a service is healthy.

        Raises:
            TopologyError: it does not become so.
        """
        deadline = time.monotonic() + HEALTHY_SECONDS
        while not self.healthy(name):
            if time.monotonic() > deadline:
                raise TopologyError(f"{name} is not healthy (log: {self.log(name)})")
            time.sleep(_POLL)

    def healthy(self, name: str) -> bool:
        """What the service's own health check says."""
        service = self._parts[name].service
        kind, *words = self._translation.words(service.check, service)
        command = ["sh", "-c", *words] if kind == "CMD-SHELL" else words
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment(name),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
        return done.returncode == 0

    def running(self, name: str) -> bool:
        """Whether the service has a process."""
        guard = self._parts[name].guard
        return guard is not None and guard.poll() is None

    def pid(self, name: str) -> int:
        """The service's first process.

        Raises:
            TopologyError: it has none.
        """
        guard = self._parts[name].guard
        with contextlib.suppress(psutil.Error, AttributeError, IndexError):
            return psutil.Process(guard.pid).children()[0].pid  # type: ignore[union-attr]
        raise TopologyError(f"{name} is not running")

    def environment(self, name: str) -> dict[str, str]:
        """A service's variables here; those of `worker` also make a client of the server."""
        return self._translation.environment(self.services[name])

    def log(self, name: str) -> Path:
        """What a service printed."""
        return self.folder / f"{name}.log"

    def stop(self) -> None:
        """End everything, those that others need last, and leave no process."""
        self._over.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for name in reversed(self._in_order()):
            part = self._parts[name]
            with part.lock:
                part.held = True
                if self.running(name):
                    self._ask(part)
                self._end(part)
        self._postgres.remove()

    def __enter__(self) -> Topology:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launch(self, part: Part) -> None:
        service = part.service
        if service.image.startswith("postgres:"):
            command = self._postgres.command(service, self.ports[5432])
        else:
            command = self._translation.words(service.command, service)
        reads, part.lifeline = os.pipe()
        with self.log(service.name).open("ab") as log:
            log.write(f"$ {shlex.join(command)}\n".encode())
            log.flush()
            part.guard = subprocess.Popen(
                [sys.executable, "-SE", str(GUARD), str(reads), "", *command],
                pass_fds=[reads],
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=ROOT,
                env=self.environment(service.name),
            )
        os.close(reads)
        part.starts += 1
        part.born = time.monotonic()

    def _end(self, part: Part) -> None:
        if part.lifeline >= 0:
            os.close(part.lifeline)  # the guard kills whatever there is, and ends
            part.lifeline = -1
        if part.guard is not None:
            part.guard.wait()

    def _ask(self, part: Part) -> None:
        """Tell a service to end, as `docker stop` does."""
        postgres = part.service.image.startswith("postgres:")
        with contextlib.suppress(TopologyError, ProcessLookupError):
            os.kill(self.pid(part.service.name), signal.SIGINT if postgres else signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            assert part.guard is not None
            part.guard.wait(STOP_SECONDS)

    def _is_fit(self, part: Part) -> bool:
        name = part.service.name
        if part.service.restarts:
            if not self.running(name):
                self._restart_if_due(part)
                return False
            return self.healthy(name)
        if self.running(name):
            return False
        if part.guard is None or part.guard.returncode:
            raise TopologyError(f"{name} failed (log: {self.log(name)})")
        return True

    def _keep(self) -> None:
        """What `restart: unless-stopped` does."""
        while not self._over.wait(_POLL):
            for part in self._parts.values():
                if part.service.restarts:
                    self._restart_if_due(part)

    def _restart_if_due(self, part: Part) -> None:
        with part.lock:
            if part.held or self.running(part.service.name) or self._over.is_set():
                return
            now = time.monotonic()
            if not part.due:
                part.failures = 0 if now - part.born > STEADY_SECONDS else part.failures + 1
                part.due = now + BACKOFF_SECONDS[min(part.failures, len(BACKOFF_SECONDS) - 1)]
            elif now >= part.due:
                part.due = 0.0
                self._end(part)
                self._launch(part)

    def _in_order(self) -> list[str]:
        """Names, those that are needed before those that need them."""
        ordered: list[str] = []
        while len(ordered) < len(self._parts):
            for name, part in self._parts.items():
                needs = set(part.service.needs) & set(self._parts)
                if name not in ordered and needs <= set(ordered):
                    ordered.append(name)
        return ordered


def main() -> None:
    """Run until Ctrl-C."""
    try:
        with Topology(Path(sys.argv[1])) as topology:
            print(f"API: {topology.api}\nauth: {topology.auth}\nreports: {topology.pages}")
            signal.pause()
    except KeyboardInterrupt:
        return
    except (TopologyError, ComposeError) as error:
        sys.exit(f"topology: {error}")


if __name__ == "__main__":
    main()
