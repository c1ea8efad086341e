"""What a run says at its end: its model, commands that go on from it, and what it took."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from flows.cli.main import app
from flows.config.rest_em import load_config
from flows.report.page import with_commands
from flows.runs.journal import Journal, note_wall, read_journal
from flows.runs.journal_forms import StepLine
from flows.runs.next_steps import next_steps
from flows.runs.status import status
from flows.runs.wall_time import since_command, steps_seconds
from tasks.store.store import Store
from tests.flows.runs.store_parts import put


@pytest.fixture
def store(home: Path) -> Store:
    made = Store(str(home / "store"), cache=home / "cache")
    made.prepare()
    return made


def test_the_model_is_the_last_policy(store: Store) -> None:
    config = load_config("math-demo")
    policies = [put(store, "model", str(n) * 32).location for n in range(3)]
    then = next_steps(config, policies, store)
    assert Path(then.model, "payload.txt").is_file() and then.model.endswith("2" * 32)
    assert then.policy == "p2" and then.lines[0] == f"model: {then.model} (p2)"


@pytest.mark.parametrize(
    ("config", "benchmark"),
    [
        ("math-demo", "synthetic_math_shift"),
        ("code-demo", "synthetic_code_shift"),
        ("apps-gemma270m", "humaneval"),
        ("svamp-gemma270m", "gsm8k"),
    ],
)
def test_each_command_is_one_that_there_is(store: Store, config: str, benchmark: str) -> None:
    settings = load_config(config)
    commands = next_steps(settings, ["model/0", "model/1"], store).commands
    assert list(commands) == ["export", "serve", "evaluate", "compare", "continue"]
    assert commands["evaluate"].endswith(f"--on {benchmark}")
    assert commands["continue"].endswith(f"iterations={settings.iterations + 1}")
    root = get_command(app)
    for command in commands.values():
        words = shlex.split(command.partition("&&")[0])
        assert words[0] == "restem" and settings.run_id in command
        verb = root.commands[words[1]]
        verb.make_context(words[1], words[2:])  # refuses an option that there is not


def test_a_run_that_trained_nothing_says_so(store: Store) -> None:
    then = next_steps(load_config("math-demo"), ["model/0"], store)
    assert "nothing was trained" in then.lines[0] and "compare" not in then.commands


def test_no_more_iterations_than_may_be(store: Store) -> None:
    then = next_steps(load_config("math-demo", ["iterations=20"]), ["model/0"], store)
    assert "continue" not in then.commands


def test_a_page_shows_them_as_text() -> None:
    page = "<header><h1>So</h1></header><main>rest</main>"
    shown = with_commands(page, "What next", [("export", 'restem export "<a>" --to m')])
    assert shown.startswith("<header><h1>So</h1></header>\n<section") and "rest" in shown
    assert "restem export &#34;&lt;a&gt;" in shown or "restem export &quot;&lt;a&gt;" in shown


def test_a_page_of_another_form_stays() -> None:
    assert with_commands("<p>old</p>", "What next", [("a", "b")]) == "<p>old</p>"


def test_wall_time_stands_beside_the_steps(store: Store) -> None:
    config = load_config("math-demo")
    journal = Journal(config.run_id, config.model_dump(), "rest-em")
    for step, state, took in (("generate", "Completed", 2.5), ("score", "Cached", 9.0)):
        line = {"iteration": 0, "step": step, "label": step, "state": state, "took": took}
        line |= {"seconds": 9.0, "tokens": 0, "rows": 1, "artifact": f"{step}/1", "digest": "d"}
        journal.step(StepLine.from_json(line))
    journal.end("completed", policies=[put(store, "model", "1" * 32).location])
    assert "wall_seconds" not in status(config.run_id)
    note_wall(config.run_id, 7.25)
    found = status(config.run_id)
    assert (found["wall_seconds"], found["steps_seconds"]) == (7.25, 2.5)
    assert found["model"].endswith("1" * 32) and "export" in found["next"]
    assert steps_seconds(read_journal(config.run_id)[1]) == 2.5


def test_a_model_that_is_gone_is_made_again(store: Store) -> None:
    config = load_config("math-demo")
    journal = Journal(config.run_id, config.model_dump(), "rest-em")
    journal.end("completed", policies=["model/" + "1" * 32])
    found = status(config.run_id)
    assert "model" not in found
    assert found["next"] == {"resume": f"restem resume {config.run_id} --rebuild"}


@pytest.mark.parametrize(
    ("state", "then"),
    [("failed", "resume"), ("interrupted", "resume"), ("awaits review", "review")],
)
def test_a_run_that_did_not_end_says_how_it_goes_on(home: Path, state: str, then: str) -> None:
    config = load_config("math-demo")
    journal = Journal(config.run_id, config.model_dump(), "rest-em")
    journal.end(state)  # type: ignore[arg-type]
    assert status(config.run_id)["next"] == {then: f"restem {then} {config.run_id}"}


def test_the_time_since_the_command_goes_on() -> None:
    first, second = since_command(), since_command()
    assert first is not None and second is not None and 0 < first <= second


def test_the_head_of_an_older_version_is_read(home: Path) -> None:
    Journal("old", {}, "rest-em").end("completed")
    path = home / "runs" / "old" / "run.json"
    written = json.loads(path.read_text())
    assert "wall_seconds" not in written
    del written["folder"]
    path.write_text(json.dumps(written))
    assert read_journal("old")[0].folder == ""
