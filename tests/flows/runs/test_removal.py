"""Deleting runs: what only they hold goes with them, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli.main import app
from flows.runs.removal import remove_runs
from flows.runs.store_use import in_use
from tasks.errors import UserError
from tasks.store.store import Store
from tests.flows.runs.store_parts import Homes, has_run, put

KEYS = [f"{number:032x}" for number in range(10)]


@pytest.fixture
def store(home: Path) -> Store:
    """The store of a home with two runs from the same samples, and an artifact of no run."""
    made = Store(str(home / "store"), cache=home / "cache")
    made.prepare()
    samples = put(made, "samples", KEYS[0])
    has_run(made, "one", samples.location, put(made, "model", KEYS[1], samples).location)
    has_run(made, "two", samples.location, put(made, "model", KEYS[2], samples).location)
    put(made, "model", KEYS[3])
    return made


def there(store: Store) -> set[str]:
    return {f"{kind}/{key}" for kind, key in store.entries()}


def test_what_only_it_holds_goes(store: Store, home: Path) -> None:
    before = there(store)
    found = remove_runs(["one"], delete=True)
    assert before - there(store) == {f"model/{KEYS[1]}"} == set(found.artifacts)
    assert found.shared == 1 and found.bytes > 0
    assert not (home / "runs" / "one").exists() and (home / "runs" / "two").is_dir()
    assert not list((home / "store" / ".roots").glob("*/one.json"))


def test_the_last_runs_take_what_they_share(store: Store) -> None:
    remove_runs(["one", "two"], delete=True)
    assert there(store) == {f"model/{KEYS[3]}"}  # that is for `restem store gc`


def test_a_dry_listing_removes_nothing(store: Store, home: Path) -> None:
    before = there(store)
    dry = remove_runs(["one"], delete=False)
    assert there(store) == before and (home / "runs" / "one").is_dir()
    done = remove_runs(["one"], delete=True)
    assert (dry.artifacts, dry.bytes, dry.shared) == (done.artifacts, done.bytes, done.shared)


def test_what_another_home_needs_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    homes, address = Homes(tmp_path, monkeypatch), str(tmp_path / "shared")
    homes.use("a")
    store = Store(address, cache=tmp_path / "cache")
    store.prepare()
    model = put(store, "model", KEYS[0])
    has_run(store, "mine", model.location)
    homes.use("b")
    has_run(store, "theirs", model.location)
    homes.use("a")
    found = remove_runs(["mine"], delete=True)
    assert there(store) == {model.location} and found.shared == 1


def test_not_under_a_run(store: Store) -> None:
    with in_use(store, "busy", lambda _: None), pytest.raises(UserError, match="no run at work"):
        remove_runs(["one"], delete=True)
    assert f"model/{KEYS[1]}" in there(store)


@pytest.mark.parametrize(("answer", "code", "gone"), [("y\n", 0, True), ("n\n", 2, False)])
def test_it_asks(
    store: Store, home: Path, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, gone: bool
) -> None:
    monkeypatch.setattr("flows.cli.runs.asks", lambda: True)
    done = CliRunner().invoke(app, ["runs", "delete", "one"], input=answer)
    assert (done.exit_code == 0) == (code == 0)
    assert "1 artifact of the store that no other run needs" in done.output
    assert (home / "runs" / "one").exists() != gone


def test_without_a_terminal_it_wants_yes(store: Store, home: Path) -> None:
    done = CliRunner().invoke(app, ["runs", "delete", "one"])
    assert isinstance(done.exception, UserError) and "--yes" in str(done.exception)
    assert CliRunner().invoke(app, ["runs", "delete", "one", "--yes"]).exit_code == 0
    assert not (home / "runs" / "one").exists()


def test_no_such_run(store: Store) -> None:
    with pytest.raises(UserError, match="no such run"):
        remove_runs(["three"], delete=True)
