"""What a person sees of a store that is empty, missing, mistyped or not to be written."""

from __future__ import annotations

import os
import pty
import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.store.signing import KEY_FILE
from tests.flows.conftest import Restem
from tests.small import SMALL

SMALL_DEMO = ["demo", *(part for change in SMALL for part in ("--set", change))]


def artifacts(home: Path) -> set[Path]:
    return set((home / "store").glob("[!.]*/*/manifest.json"))


def in_terminal(restem: Restem, answer: str, *arguments: str) -> tuple[int, str]:
    """Run a command in a terminal where a person answers; its exit code and all it printed."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(restem.root)
        command = [sys.executable, "-m", "flows.cli", *arguments]
        os.execvpe(command[0], command, restem.environment())
    said = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # it has ended
            break
        if not part:
            break
        said += part
        if b"[y/N]" in said and answer:
            os.write(terminal, f"{answer}\n".encode())
            answer = ""
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(status), said.decode(errors="replace")


@pytest.fixture
def emptied(copied: Restem) -> Restem:
    shutil.rmtree(copied.home / "store")
    return copied


def test_an_emptied_store_is_one_line_and_nothing_is_made(emptied: Restem) -> None:
    text = emptied(*SMALL_DEMO, code=2)
    assert text.count("\n") == 1 and text.startswith("restem: resources.store: ")
    assert "are missing there (there is no store: is its disk mounted" in text
    assert "--rebuild" in text
    assert not (emptied.home / "store").exists()
    assert emptied.status()["state"] == "completed"  # what it was is not forgotten
    assert "missing there" in emptied("resume", code=2)
    assert "missing there" in emptied(*SMALL_DEMO, "--dry-run", code=2)
    assert not (emptied.home / "store").exists()


def test_a_person_is_asked_in_a_terminal(emptied: Restem) -> None:
    code, text = in_terminal(emptied, "n", *SMALL_DEMO)
    assert code == 2 and "Make all of it again? [y/N]" in text and "nothing was made" in text
    assert not (emptied.home / "store").exists()


_FLOW = """
from flows.api.start import start
from flows.config.rest_em import load_config
from tasks.errors import UserError
from tests.small import SMALL
try:
    start(load_config("math-demo", list(SMALL)))
except UserError as error:
    print("REFUSED", error)
"""


def test_the_flow_itself_refuses_as_prefect_starts_it(emptied: Restem) -> None:
    """A schedule and the form start the flow and not the command."""
    command = [sys.executable, "-c", _FLOW]
    done = subprocess.run(
        command, cwd=emptied.root, env=emptied.environment(), capture_output=True, text=True
    )
    assert "REFUSED resources.store: " in done.stdout and "resources.rebuild=true" in done.stdout
    assert "Traceback" not in done.stderr
    assert not (emptied.home / "store").exists()


def test_who_says_so_has_it_made_again(emptied: Restem, finished: Restem) -> None:
    emptied("resume", "--rebuild")
    made = {path.relative_to(emptied.home) for path in artifacts(emptied.home)}
    assert made == {path.relative_to(finished.home) for path in artifacts(finished.home)}
    assert "0 run" in emptied(*SMALL_DEMO)


def test_a_mistyped_store_is_one_line_and_makes_nothing(tmp_path: Path) -> None:
    address = str(tmp_path / "typo")
    text = Restem(tmp_path / "home", "")("store", "verify", "--store", address, code=2)
    assert text == (
        f"restem: --store: {address}: there is no store; expected a folder or an address with the "
        "file .restem-store, which the first run makes\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_the_store_of_a_new_home_is_empty_and_not_made(tmp_path: Path) -> None:
    restem = Restem(tmp_path / "home", "")
    assert restem("store", "verify").startswith("0 whole, 0 damaged")
    assert not (tmp_path / "home").exists()


@pytest.fixture
def read_only(copied: Restem) -> Iterator[Restem]:
    """A home whose store is mounted to be read; folders' permissions do not bind root."""
    store = copied.home / "store"
    if os.geteuid() != 0:
        pytest.skip("only root may mount a folder read-only")
    bind = subprocess.run(["mount", "--bind", store, store], capture_output=True, text=True)
    if bind.returncode:
        pytest.skip(f"no mounts here: {bind.stderr.strip()}")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", store], check=True)
        yield copied
    finally:
        # At once, though a process of the run that is about to end may still look into it.
        subprocess.run(["umount", "-l", store], check=True)


def test_a_store_that_is_only_read_serves_all_that_is_in_it(read_only: Restem) -> None:
    assert "0 damaged" in read_only("store", "verify")
    assert read_only("store", "list").count("\n") > 10
    assert "0 to remove" in read_only("store", "gc")
    assert "0 run" in read_only(*SMALL_DEMO)
    assert "generate draw" in read_only("status")


def test_what_would_write_into_it_is_one_line(read_only: Restem) -> None:
    said = "it can be read but not written ("
    text = read_only("demo", code=2)
    assert said in text.splitlines()[-1] and "Traceback" not in text
    for record in (read_only.home / "runs").glob("*/reached.txt"):
        record.unlink()
    for steps in (read_only.home / "runs").glob("*/steps.jsonl"):
        steps.write_text("")
    text = read_only("store", "gc", "--delete", code=2)
    assert said in text and text.count("\n") == 1


def test_what_is_not_signed_stops_a_run_in_one_line(copied: Restem, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(secrets.token_hex(32))
    key.chmod(0o600)
    before = {path: path.read_bytes() for path in artifacts(copied.home)}
    env = {KEY_FILE: str(key)}
    text = copied(*SMALL_DEMO, code=2, **env)
    assert f"is not signed by the key of {key}; no run takes or replaces it" in text
    assert {path: path.read_bytes() for path in artifacts(copied.home)} == before
    assert f"0 whole, {len(before)} damaged" in copied("store", "verify", code=1, **env)
    assert f"{len(before)} signed, 0 signed before" in copied("store", "sign", **env)
    assert "0 run" in copied(*SMALL_DEMO, **env)
    assert "0 run" in copied(*SMALL_DEMO)
