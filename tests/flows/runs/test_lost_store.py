"""A store that lost what runs made is said before anything is made again."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from flows.runs.garbage import collect
from flows.runs.gone import read_gone
from flows.runs.journal import Journal
from flows.runs.known_stores import known_id
from flows.runs.lost_store import REBUILD, find_loss, see_store, without_rebuild
from flows.runs.sign_store import sign_store
from flows.runs.store import listing, verify_store
from tasks.dag.runtime import open_store
from tasks.errors import UserError
from tasks.settings import Resources
from tasks.store.remote import STORE_MARK
from tasks.store.signing import KEY_FILE
from tasks.store.store import Store
from tests.flows.runs.test_journal import LINE

MANY = 10


def put(store: Store, key: str) -> None:
    with store.draft("samples", key) as draft:
        (draft.path / "a.txt").write_text(key)


def start(run: str, resources: Resources) -> Store:
    """What a run does before its first step."""
    store = open_store(resources)
    see_store(run, store, resources)
    return store


def run_once(run: str, resources: Resources, keys: int = MANY, **config: object) -> None:
    """A run that makes so many artifacts, or finds them."""
    store = start(run, resources)
    journal = Journal(run, {"resources": resources.model_dump(), **config}, "rest-em")
    for at in range(keys):
        if store.lookup("samples", f"{run}{at}") is None:
            put(store, f"{run}{at}")
        journal.step(replace(LINE, artifact=f"samples/{run}{at}"))
    journal.end("completed")


@pytest.fixture(params=["home", "folder", "memory"])
def resources(request: pytest.FixtureRequest, tmp_path: Path) -> Resources:
    (tmp_path / "disk").mkdir()
    address = {"home": "", "folder": str(tmp_path / "disk" / "store")}
    return Resources(store=address.get(request.param, f"memory://restem-{uuid.uuid4().hex}"))


def remove(resources: Resources, *names: str) -> None:
    """Remove folders of the store as somebody else would."""
    store = open_store(resources)
    for name in names:
        if store.local:
            shutil.rmtree(Path(store.root) / name)
        else:
            store.manifests._remote.remove(name)  # pyright: ignore


def empty(resources: Resources) -> None:
    """Remove the whole store, mark and all."""
    store = open_store(resources)
    if store.local:
        shutil.rmtree(store.root)
    else:
        store.manifests._remote.remove("")  # pyright: ignore


def test_a_whole_store_is_never_asked_about(resources: Resources) -> None:
    for _ in range(3):
        run_once("a", resources)
    assert known_id(resources.store) == open_store(resources).id != ""


def test_a_new_store_at_a_new_address_needs_no_ceremony(
    resources: Resources, tmp_path: Path
) -> None:
    run_once("a", resources)
    run_once("b", Resources(store=str(tmp_path / "disk" / "new")))


@pytest.mark.parametrize("how", ["its artifacts", "all of it"])
def test_an_emptied_store_is_said_and_stays_as_it_is(resources: Resources, how: str) -> None:
    run_once("a", resources)
    if how == "all of it":
        empty(resources)
    else:
        remove(resources, "samples")
    before = open_store(resources).id
    with pytest.raises(UserError) as found:
        start("a", resources)
    said = str(found.value)
    assert f"{MANY} of the {MANY} artifacts of a are missing there" in said
    assert open_store(resources).root in said and "--rebuild" in said and "\n" not in said
    assert open_store(resources).id == before
    with pytest.raises(UserError, match="are missing"):
        start("a", resources)


def test_an_empty_mount_point_is_noticed_by_runs_of_other_recipes_too(
    resources: Resources,
) -> None:
    """They would write into it, and be lost when the disk is back."""
    run_once("a", resources)
    run_once("b", resources)
    empty(resources)
    with pytest.raises(UserError, match=r"20 of the 20 artifacts of 2 runs .* no store: is its"):
        start("c", resources)
    assert open_store(resources).id is None


def test_another_store_in_its_place_is_noticed(resources: Resources) -> None:
    run_once("a", resources)
    empty(resources)
    open_store(resources).prepare()
    with pytest.raises(UserError, match="another store than the one that was used there"):
        start("b", resources)


def test_another_store_that_has_it_all_is_taken(resources: Resources, tmp_path: Path) -> None:
    """A copy, a store that was moved, one whose mark was lost."""
    run_once("a", resources)
    store = open_store(resources)
    if store.local:
        (Path(store.root) / STORE_MARK).write_text("")  # as stores of older versions have it
        start("a", resources)
        (Path(store.root) / STORE_MARK).unlink()
    else:
        store.manifests._remote.remove(STORE_MARK)  # pyright: ignore
    first = known_id(resources.store)
    start("a", resources)
    assert known_id(resources.store) == open_store(resources).id not in (first, "")


@pytest.mark.parametrize("how", ["field", "environment"])
def test_who_says_so_makes_it_again(
    resources: Resources, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    run_once("a", resources)
    empty(resources)
    if how == "environment":
        monkeypatch.setenv(REBUILD, "1")
        start("a", resources)
        monkeypatch.delenv(REBUILD)
    else:
        start("a", resources.model_copy(update={"rebuild": True}))
    run_once("a", resources, keys=1)  # killed early, and started again: nobody is asked twice
    run_once("a", resources)
    remove(resources, "samples")  # what was built again is missed again
    with pytest.raises(UserError, match=f"{MANY} of the {MANY}"):
        start("a", resources)


def test_a_few_artifacts_that_are_gone_are_made_again_in_silence(resources: Resources) -> None:
    run_once("a", resources)
    remove(resources, *(f"samples/a{at}" for at in range(MANY // 2)))
    run_once("a", resources)


def test_a_run_that_came_to_little_is_not_asked_about(resources: Resources) -> None:
    run_once("a", resources, keys=2)
    empty(resources)
    run_once("a", resources)


def test_what_gc_removed_is_not_missed(resources: Resources) -> None:
    run_once("a", resources)
    run_once("b", resources)
    collect(["b"], True, resources.store, others=True, older_than=0)
    assert len(read_gone(open_home() / "runs" / "a")) == MANY
    run_once("a", resources)
    assert read_gone(open_home() / "runs" / "a") == set()


def open_home() -> Path:
    from tasks.dag.runtime import home

    return home()


def test_what_is_asked_for_once_is_not_kept_for_every_resume() -> None:
    assert without_rebuild({"resources": {"store": "x", "rebuild": True}}) == {
        "resources": {"store": "x", "rebuild": False}
    }
    study = {"study": "passk", "changes": ["seed=2", "resources.rebuild=true"]}
    assert without_rebuild(study) == {"study": "passk", "changes": ["seed=2"]}


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"ids": 1}', "[" * 100_000, '{"ids": {"": 1}}']
)
def test_a_broken_memory_of_stores_only_forgets(content: str) -> None:
    run_once("a", Resources())
    (open_home() / "stores.json").write_text(content)
    assert known_id("") == ""
    run_once("a", Resources())
    assert known_id("") == open_store(Resources()).id


def test_a_broken_journal_hides_no_other_run(tmp_path: Path) -> None:
    run_once("a", Resources())
    (open_home() / "runs" / "broken").mkdir()
    (open_home() / "runs" / "broken" / "run.json").write_text("{")
    shutil.rmtree(open_home() / "store")
    store = open_store(Resources())
    loss = find_loss("b", store, "")
    assert loss is not None and loss.known == MANY


def test_a_store_in_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    typo = tmp_path / "typo" / "store"
    with pytest.raises(UserError, match=r"^resources\.store: .*there is no folder .*typo;"):
        start("a", Resources(store=str(typo)))
    assert not typo.parent.exists()


@pytest.mark.parametrize("place", ["typo", "deep/typo", ".", "file", "memory"])
@pytest.mark.parametrize(
    "verb", [listing, verify_store, sign_store, lambda address: collect([], True, address)]
)
def test_a_mistyped_store_is_said_and_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: Callable[[str], object], place: str
) -> None:
    key = tmp_path / "key"
    key.write_text("k" * 64)
    key.chmod(0o600)
    monkeypatch.setenv(KEY_FILE, str(key))
    (tmp_path / "file").write_text("")
    before = set(tmp_path.rglob("*"))
    address = f"memory://{uuid.uuid4().hex}" if place == "memory" else str(tmp_path / place)
    with pytest.raises(UserError, match=f"^--store: {address}: there is no store; expected"):
        verb(address)
    assert set(tmp_path.rglob("*")) == before
