"""What a test needs beside Python decides its marker, its place in a run, and when it may skip.

A test without a need is `fast`: `make check` runs these alone, so they start no server, container,
engine or browser, and this file makes one that does fail. docs/testing.md has the whole picture.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

# The markers of pyproject.toml that keep a test out of `make check`.
NEEDS = frozenset(
    {
        *("engine", "docker", "prefect", "station", "browser", "compose", "vllm", "ray", "s3"),
        *("strace", "slow"),
    }
)
# Whoever asks for one of these fixtures, directly or through another, has the need.
OF_FIXTURE = {
    "server": "prefect",
    "finished": "engine",
    "station": "station",
    "image": "docker",
    "client": "docker",
    "chromium": "browser",
    "new_topology": "compose",
    "compose": "compose",
    "s3": "s3",
    "strace": "strace",
    "vllm": "vllm",
    "vllm_python": "vllm",
}
# Folders whose files share a station or a topology.
SHARED = frozenset({"tests/browser", "tests/compose", "tests/flows/station"})
# What takes longest is begun first, so that no process is left with it at the end.
FIRST = ("tests/bench", "tests/browser", "tests/compose", "tests/docs", "tests/flows/station")
# Names of a Chromium. The shell is one without the windows that nobody sees, and costs less.
CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
# Words of a command and the need that it has; each must be among the command's words.
COMMANDS = {
    "docker": [{"docker"}, {"dockerd"}, {"docker-compose"}],
    "prefect": [{"prefect", "server"}, {"prefect", "worker"}, {"uvicorn"}],
    "browser": [{name} for name in CHROMIUMS],
    "compose": [{"redis-server"}, {"postgres"}, {"initdb"}],
    "ray": [{"ray"}, {"raylet"}],
    "s3": [{"moto_server"}],
    "strace": [{"strace"}],
    "station": [{"flows.cli", "up"}],
    # Children of a run are forked from a process that has imported flows.machines.preload.
    "engine": [
        {"flows.machines.preload"},
        *({"flows.cli", verb} for verb in ("demo", "run", "study", "evaluate", "engine")),
    ],
}


def lacking(reason: str) -> NoReturn:
    """Skip the test that asks, for want of a part; with CI=true fail it.

    Continuous integration runs on a machine where every part can be had (scripts/test_parts.sh
    brings them), so what is missing there is a fault. RESTEM_DATA alone may be missing anywhere:
    the data sets are not ours to ship.
    """
    if os.environ.get("CI", "").lower() in ("1", "true"):
        pytest.fail(f"{reason}; with CI=true nothing is skipped for want of it", pytrace=False)
    pytest.skip(reason)


def needs_of(item: pytest.Item) -> set[str]:
    """The needs that a test's markers and fixtures say."""
    fixtures = set(getattr(item, "fixturenames", ()))
    asked = {need for name, need in OF_FIXTURE.items() if name in fixtures}
    return asked | {mark.name for mark in item.iter_markers() if mark.name in NEEDS}


def group_of(test: str) -> str:
    """Which tests run in one process, one after another: those of a file, or of a shared part."""
    file = test.split("::")[0]
    folder = os.path.dirname(file)
    return folder if folder in SHARED else file


def place_of(test: str) -> int:
    """Where a test stands in a whole run: the lower, the earlier."""
    places = (n for n, folder in enumerate(FIRST) if test.startswith(f"{folder}/"))
    return next(places, len(FIRST))


class Watch:
    """Fails a fast test that starts what only tests with a marker may start."""

    def __init__(self) -> None:
        self._looking = False
        self._seen: list[str] = []
        sys.addaudithook(self._look)  # there is no way to remove one: it is made once a process

    @contextmanager
    def over(self, item: pytest.Item) -> Iterator[None]:
        """Look while a test runs, if it is a fast one.

        Raises:
            pytest.fail.Exception: it started something that has a marker.
        """
        self._looking, self._seen = item.get_closest_marker("fast") is not None, []
        try:
            yield
        finally:
            self._looking = False
        if self._seen:
            said = "; ".join(dict.fromkeys(self._seen))
            pytest.fail(f"a test without a marker for it started {said}", pytrace=False)

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._looking:
            return
        if event == "socket.connect" and str(arguments[1]).endswith("docker.sock"):
            self._seen.append("a talk with the Docker engine (marker: docker)")
        if event == "subprocess.Popen":
            words = {os.path.basename(str(word)) for word in _words(arguments[1])}
            for need, commands in COMMANDS.items():
                self._seen += [f"{' '.join(c)} (marker: {need})" for c in commands if c <= words]


def _words(command: Any) -> list[str]:
    return command.split() if isinstance(command, str) else [os.fsdecode(c) for c in command]
