"""A home, a working directory, files and a store whose names have all that shells and URLs read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows.api.export.folder import _DRAFT, _sweep  # pyright: ignore[reportPrivateUsage]
from flows.config.read import read_toml
from flows.station.deployments import pool_template
from tasks.dag.runtime import open_store
from tasks.paths import ROOT
from tasks.settings import Resources
from tests.small import TINY

ODD = "a [x] *{b}, 'q' \"d\" 100%41 #h?y ü数 $(id) & ::;~\n-e"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / ODD
    path.mkdir()
    return path


# In an artifact a name has no control characters.
ODD_FILE = ODD.replace("\n", "")


def test_a_store_with_such_an_address_keeps_what_it_is_given(folder: Path, home: Path) -> None:
    store = open_store(Resources(store=str(folder / "store")))
    with store.draft("rows", "k") as draft:
        (draft.path / ODD_FILE).write_bytes(b"x")
    assert [path.name for path in folder.iterdir()] == ["store"]
    again = open_store(Resources(store=str(folder / "store")))
    assert list(again.entries()) == [("rows", "k")]
    ref = again.lookup("rows", "k")
    assert ref and (again.path(ref) / ODD_FILE).read_bytes() == b"x"


def test_what_a_killed_export_left_in_such_a_folder_is_put_away(folder: Path) -> None:
    place = folder / "[x]"
    found = list(folder.iterdir())
    left = place.with_name(f"{_DRAFT}-{place.name}~host~1")
    left.mkdir()
    _sweep(place)
    assert list(folder.iterdir()) == found


def test_a_python_in_such_a_folder_is_one_word_of_the_workers_command(folder: Path) -> None:
    import shlex

    job = pool_template(folder, str(folder / "python"))["job_configuration"]
    assert isinstance(job, dict)
    assert shlex.split(job["command"])[0] == str(folder / "python")
    assert job["working_dir"] == str(folder)


def test_a_configuration_in_such_a_folder_is_read(folder: Path) -> None:
    file = folder / "c [1].toml"
    file.write_text('name = "x"\n', encoding="utf-8")
    assert read_toml(file, ROOT)[0] == {"name": "x"}


def _restem(folder: Path, *arguments: str, **more: str) -> str:
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PREFECT_", "RESTEM_"))}
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        cwd=folder,
        env={**plain, "PYTHONPATH": str(ROOT), "RESTEM_HOME": str(folder / "home"), **more},
        capture_output=True,
        timeout=600,
    )
    said = (done.stdout + done.stderr).decode("utf-8", "replace")
    assert done.returncode == 0, said
    assert "Traceback" not in said
    return done.stdout.decode("utf-8", "replace")


@pytest.mark.engine
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["utf-8", "C"],
)
def test_a_whole_run_with_its_own_server(folder: Path, more: dict[str, str]) -> None:
    changes = [part for one in TINY for part in ("--set", one)]
    store = folder / "sto::re [y]"
    changes += ["--set", f"resources.store={json.dumps(str(store))}"]
    _restem(folder, "demo", *changes, **more)
    assert sorted(path.name for path in folder.iterdir()) == ["home", store.name]
    assert (folder / "home" / "prefect" / "prefect.db").stat().st_size > 0
    facts = json.loads(_restem(folder, "status", "--json", **more))
    assert facts["state"] == "completed"
    kept = json.loads(_restem(folder, "store", "list", "--store", str(store), "--json", **more))
    assert {one["kind"] for one in kept} >= {"samples", "verdicts", "rows"}
    _restem(folder, "store", "verify", "--store", str(store), **more)
    _restem(folder, "export", "latest", "--to", "out [z]", **more)
    assert (folder / "out [z]" / "config.json").is_file()
    _restem(folder, "trace", "latest", "1:0", **more)
    assert _restem(folder, "report", **more).count("report.html") == 1
