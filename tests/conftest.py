"""Every test has a home of its own, and a marker for each thing that it needs (tests/needs.py)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

from tests.needs import CHROMIUMS, Watch, group_of, lacking, needs_of, place_of

if TYPE_CHECKING:
    from tests.s3 import S3

# A shell starts its background jobs with Ctrl-C ignored, and processes hand that on.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes, or is made, says how busy the machine is.
settings.register_profile("restem", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("restem")

_watch = Watch()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its needs, before `-m` chooses; the longest first."""
    items.sort(key=lambda item: place_of(item.nodeid))
    for item in items:
        for need in sorted(needs_of(item) or {"fast"}):
            item.add_marker(need)


class ByFile(LoadScopeScheduling):
    """With `-n`: the tests of a group in one process, the groups in the order of collection.

    pytest-xdist 3.8 has a mark for this, which does nothing with pytest 9.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """Whatever `--dist` says."""
    return ByFile(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    """Let no fast test start a server, a container, an engine or a browser."""
    with _watch.over(item):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """The same."""
    with _watch.over(item):
        return (yield)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh RESTEM_HOME."""
    folder = tmp_path / "home"
    monkeypatch.setenv("RESTEM_HOME", str(folder))
    return folder


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder with real data, or a skip that says what is missing."""
    given = os.environ.get("RESTEM_DATA")
    if not given:
        pytest.skip("RESTEM_DATA is not set: no real data sets on this machine")
    return Path(given)


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image of the sandbox, built if it is not there, or a skip that says what is missing."""
    from sandbox.image import build_image, find_image
    from sandbox.pool import NoEngine, connect

    try:
        with FileLock(tmp_path_factory.getbasetemp().parent / "image.lock"):
            client = connect()
            found = find_image(client)
            client.close()
            return found or build_image(lambda _: None)
    except NoEngine as error:
        lacking(str(error))


@pytest.fixture(scope="session")
def strace() -> str:
    """Where strace is and may trace, or a skip that says what is missing."""
    found = shutil.which("strace")
    if found is None:
        lacking("no strace on the PATH (Debian: apt-get install strace)")
    tried = subprocess.run([found, "-o", "/dev/null", "true"], capture_output=True, text=True)
    if tried.returncode:
        lacking(f"strace may not trace here: {tried.stderr.strip()}")
    return found


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where Chromium is, or a skip that says what is missing."""
    found = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    return found or lacking("no chromium on the PATH (Debian: apt-get install chromium)")


@pytest.fixture(scope="module")
def s3() -> Iterator[S3]:
    """A server that speaks S3, with one bucket."""
    from tests.s3 import s3_server

    with s3_server() as server:
        yield server


@pytest.fixture
def s3_named(s3: S3, monkeypatch: pytest.MonkeyPatch) -> S3:
    """The same, which the environment names."""
    for name, value in s3.variables.items():
        monkeypatch.setenv(name, value)
    return s3
