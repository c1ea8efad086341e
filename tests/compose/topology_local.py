"""What stands on this machine for what a container of docker-compose.yml has (see topology.py)."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tasks.paths import ROOT
from tests.compose.compose_file import Service

# Of the caller's environment: where programs are found, and how they speak. Nothing else of it
# reaches a service, as nothing of the host reaches a container.
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "HF_HOME", "SSL_CERT_FILE")
PREFIX = "restem-postgres-"
_PROGRAMS = {"python": "", "prefect": "-m prefect", "restem": "-m flows.cli.main"}


def missing() -> list[str]:
    """Debian packages that the topology needs and this machine has not."""
    found = {
        "postgresql": _postgres_bin() is not None,
        "redis-server": shutil.which("redis-server") is not None,
    }
    return [package for package, there in found.items() if not there]


class Translation:
    """From a container's words to this machine's: hosts, ports, paths and programs."""

    def __init__(
        self,
        services: dict[str, Service],
        ports: dict[int, int],
        folder: Path,
        engine: str | None,
    ) -> None:
        self._services, self._ports, self._folder, self._engine = services, ports, folder, engine
        self._programs = _write_programs(folder / "bin")
        names = "|".join(re.escape(name) for name in services)
        self._hosts = re.compile(rf"(?<![\w.-])(?:{names})(?=:\d)")
        self._numbers = re.compile(rf"(?<![\w.])({'|'.join(map(str, ports))})(?![\w.])")

    def has(self, service: Service) -> bool:
        """Whether this machine has what the service needs."""
        if service.image.startswith("docker:"):
            return False
        return self._engine is not None or not any(
            self._services[name].image.startswith("docker:") for name in service.needs
        )

    def words(self, words: Sequence[str], service: Service) -> list[str]:
        """A command of the service, or its health check."""
        return [self._word(word, service) for word in words]

    def environment(self, service: Service) -> dict[str, str]:
        """The service's variables, and what a process needs of this machine."""
        env = {name: os.environ[name] for name in KEPT if name in os.environ}
        env |= {name: self._word(v, service) for name, v in service.environment.items()}
        env["PATH"] = f"{self._programs}:{_postgres_bin()}:{env.get('PATH', os.defpath)}"
        env.setdefault("HOME", str(self._made(self._folder / "home" / service.name)))
        env["TMPDIR"] = str(self._made(self._folder / "tmp" / service.name))
        env["PYTHONPATH"] = str(ROOT)
        env["PYTHONUNBUFFERED"] = "1"
        if "DOCKER_HOST" in env:
            # Without an engine: an address where none answers, never this machine's own.
            env["DOCKER_HOST"] = self._engine or f"unix://{self._folder}/no-engine.sock"
        return env

    def _word(self, text: str, service: Service) -> str:
        text = self._hosts.sub("127.0.0.1", text)
        text = self._numbers.sub(lambda m: str(self._ports[int(m[1])]), text)
        text = text.replace("0.0.0.0", "127.0.0.1")
        places = self._places(service)
        paths = "|".join(sorted(map(re.escape, places), key=len, reverse=True))
        if not paths:
            return text
        pattern = re.compile(rf"(?<![\w/.-])({paths})(?=/|\s|$)")
        return pattern.sub(lambda m: str(places[m[1]]), text)

    def _places(self, service: Service) -> dict[str, Path]:
        """Folders here for the service's folders."""
        places = {}
        for volume in service.volumes:
            name, path = volume.split(":")[:2]
            if not name.startswith((".", "/")):
                places[path] = self._made(self._folder / "volumes" / name)
        for path in service.tmpfs:
            places[path.split(":")[0]] = self._made(self._folder / "tmp" / service.name)
        return places

    @staticmethod
    def _made(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        return folder


class Postgres:
    """Debian's PostgreSQL, started as the image does: a new database is made at the first start."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data: Path | None = None

    def command(self, service: Service, port: int) -> list[str]:
        """What starts it, on 127.0.0.1 alone."""
        if self._data is None:
            self._data = self._make(service)
        return [
            *self._user(),
            *(str(_bin() / "postgres"), "-D", str(self._data / "pg"), "-p", str(port)),
            *("-c", "listen_addresses=127.0.0.1"),
            *("-c", f"unix_socket_directories={self._data}"),
        ]

    def remove(self) -> None:
        """Remove its folder, which may lie outside the topology's."""
        if self._data is not None:
            shutil.rmtree(self._data, ignore_errors=True)
            self._data = None

    def _make(self, service: Service) -> Path:
        # PostgreSQL refuses to run as root, and its own user cannot enter a folder of root's.
        _remove_orphans()
        data = Path(tempfile.mkdtemp(prefix=PREFIX))
        (data / "owner").write_text(str(os.getpid()))
        env = service.environment
        secret = data / "password"
        secret.write_text(env["POSTGRES_PASSWORD"])
        if user := self._user():
            name = user[1].removeprefix("--reuid=")
            for path in (data, secret):
                shutil.chown(path, name, pwd.getpwnam(name).pw_gid)
        initdb = [str(_bin() / "initdb"), "-D", str(data / "pg"), "-U", env["POSTGRES_USER"]]
        secure = ["--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C.UTF-8"]
        self._run([*initdb, *secure])
        secret.unlink()
        # The first database is called postgres; Prefect's is made before anybody is let in.
        single = [str(_bin() / "postgres"), "--single", "-D", str(data / "pg"), "postgres"]
        self._run(single, f"CREATE DATABASE {env['POSTGRES_DB']}\n")
        return data

    def _run(self, command: list[str], text: str = "") -> None:
        done = subprocess.run(
            [*self._user(), *command], input=text, capture_output=True, text=True, check=False
        )
        with (self._folder / "postgres.log").open("a") as log:
            log.write(done.stdout + done.stderr)
        if done.returncode:
            raise RuntimeError(f"PostgreSQL: {done.stderr.strip().splitlines()[-1]}")

    @staticmethod
    def _user() -> list[str]:
        if os.geteuid() != 0:
            return []
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]


def _remove_orphans() -> None:
    """Remove databases whose topology was killed."""
    for note in Path(tempfile.gettempdir()).glob(f"{PREFIX}*/owner"):
        if not Path(f"/proc/{note.read_text()}").exists():
            shutil.rmtree(note.parent, ignore_errors=True)


def _write_programs(folder: Path) -> Path:
    """What the image has on its PATH: this Python, and Prefect and restem in it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, words in _PROGRAMS.items():
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words} "$@"\n')
        path.chmod(0o755)
    return folder


def _bin() -> Path:
    found = _postgres_bin()
    assert found is not None
    return found


def _postgres_bin() -> Path | None:
    """Where the newest PostgreSQL server of Debian lies."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"),
        key=lambda path: int(path.parts[-3]),
    )
    return found[-1].parent if found else None
