"""A test that forgot its marker fails, and in continuous integration nothing skips."""

from __future__ import annotations

import sys

import pytest

from tests.needs import CHROMIUMS, SHARED, Watch, group_of, lacking, needs_of, place_of


@pytest.fixture
def watch() -> Watch:
    return Watch()


@pytest.mark.parametrize(
    ("command", "marker"),
    [
        ([sys.executable, "-m", "flows.cli", "demo", "--set", "seed=2"], "engine"),
        ([sys.executable, "-m", "flows.cli", "up"], "station"),
        ([sys.executable, "-m", "prefect", "server", "start"], "prefect"),
        *((["/usr/bin/" + name, "--headless"], "browser") for name in CHROMIUMS),
        (["docker", "info"], "docker"),
        ("redis-server --port 0", "compose"),
    ],
)
def test_what_a_fast_test_may_not_start(
    watch: Watch, request: pytest.FixtureRequest, command: str | list[str], marker: str
) -> None:
    with pytest.raises(pytest.fail.Exception, match=f"marker: {marker}"), watch.over(request.node):
        watch._look("subprocess.Popen", ("", command, None, None))


def test_a_talk_with_the_docker_engine_is_seen(
    watch: Watch, request: pytest.FixtureRequest
) -> None:
    with pytest.raises(pytest.fail.Exception, match="marker: docker"), watch.over(request.node):
        watch._look("socket.connect", (None, "/var/run/docker.sock"))


def test_what_a_fast_test_may_start(watch: Watch, request: pytest.FixtureRequest) -> None:
    with watch.over(request.node):
        watch._look("subprocess.Popen", ("", [sys.executable, "-m", "flows.cli", "--help"], 0, 0))
        watch._look("socket.connect", (None, ("127.0.0.1", 80)))


def test_a_test_that_needs_nothing_is_fast_and_runs_with_its_file(
    request: pytest.FixtureRequest,
) -> None:
    assert needs_of(request.node) == set()
    assert request.node.get_closest_marker("fast")
    assert group_of(request.node.nodeid) == "tests/test_needs.py"
    assert group_of("tests/browser/test_run.py::test_one[a::b]") == "tests/browser"


def test_what_shares_a_station_is_begun_before_single_files() -> None:
    single = place_of("tests/flows/api/test_python.py::test_one")
    assert all(place_of(f"{folder}/test_one.py::test_one") < single for folder in SHARED)


@pytest.mark.parametrize(
    ("ci", "raised"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_what_is_missing_skips_but_for_continuous_integration(
    monkeypatch: pytest.MonkeyPatch, ci: str, raised: type[Exception]
) -> None:
    monkeypatch.setenv("CI", ci)
    with pytest.raises(raised, match="no such thing"):
        lacking("no such thing")
