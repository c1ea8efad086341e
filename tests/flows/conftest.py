"""One real Prefect server for all flow tests, and one small finished run that they look at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from flows.runs.status import status
from flows.server.access import CLIENT
from tasks.paths import ROOT
from tests.small import SMALL


@dataclass
class Restem:
    """The command line, with a home and a server; `root` is the checkout whose code runs."""

    home: Path
    api: str
    root: Path = ROOT

    def __call__(self, *arguments: str, code: int = 0, **env: str) -> str:
        """Run `restem ARGUMENTS` and return what it printed; its exit code must be `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=self.root,
            env={**self.environment(), **env},
            capture_output=True,
            text=True,
            timeout=1200,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        assert "--- " not in done.stderr, done.stderr  # how Python's and Prefect's logging fail
        return done.stdout + done.stderr

    def demo(self, *changes: str) -> list[dict[str, Any]]:
        """Run the small demo with changes and return the journal of that run."""
        flags = [part for change in (*SMALL, *changes) for part in ("--set", change)]
        self("demo", *flags)
        return self.status()["steps"]

    def status(self, run: str = "latest") -> dict[str, Any]:
        """What `restem status RUN --json` prints, without a process that takes longer to start.

        The code of another checkout is another process's.
        """
        if self.root != ROOT:
            return json.loads(self("status", run, "--json"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RESTEM_HOME", str(self.home))
            return json.loads(json.dumps(status(run)))

    def runs(self) -> set[str]:
        """The ids of all runs of this home."""
        return {path.parent.name for path in self.home.glob("runs/*/run.json")}

    def environment(self) -> dict[str, str]:
        """Environment of a command: this home, this server."""
        # The server's own settings must not leak into a command's home.
        plain = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        return {
            **plain,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(self.root), plain.get("PYTHONPATH")])),
            "RESTEM_HOME": str(self.home),
            "PREFECT_API_URL": self.api,
            **{name: os.environ[name] for name in (CLIENT,) if name in os.environ},
        }

    @property
    def auth(self) -> tuple[str, str]:
        """User and password of the server."""
        user, _, password = os.environ[CLIENT].partition(":")
        return user, password


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prefect server that lives as long as the tests."""
    from flows.server.local import prefect_server

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESTEM_HOME", str(tmp_path_factory.mktemp("server")))
        # prefect_server sets these for good; a test process must give them back.
        before = dict(os.environ)
        with prefect_server() as address:
            yield address
        for name in set(os.environ) - set(before):
            del os.environ[name]


@pytest.fixture(scope="session")
def finished(server: str, tmp_path_factory: pytest.TempPathFactory) -> Restem:
    """A home in which the small demo has run once.

    The processes of pytest-xdist make it once among them, and each has a copy of its own.
    """
    own = tmp_path_factory.mktemp("home") / "finished"
    if "PYTEST_XDIST_WORKER" not in os.environ:
        Restem(own, server).demo()
        return Restem(own, server)
    made = tmp_path_factory.getbasetemp().parent / "finished"
    with FileLock(f"{made}.lock"):
        if not made.exists():
            begun = made.with_name("finished-begun")
            Restem(begun, server).demo()
            begun.rename(made)
    subprocess.run(["cp", "-a", str(made), str(own)], check=True)
    return Restem(own, server)


@pytest.fixture
def copied(finished: Restem, tmp_path: Path) -> Restem:
    """A copy of the finished home that a test may damage."""
    subprocess.run(["cp", "-a", str(finished.home), str(tmp_path / "copy")], check=True)
    return Restem(tmp_path / "copy", finished.api)
