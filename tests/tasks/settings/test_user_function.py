"""How a setting names a function of the user's, what of it is in keys, and every mistake's line."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from flows.config.rest_em import RestEmConfig, load_config
from tasks.errors import UserError
from tasks.problems.step import problems_call
from tasks.settings import DataSettings, FilterSettings
from tasks.settings.filter import SCORE, SELECT
from tasks.settings.find_function import MAX_BYTES, find_function
from tasks.settings.problems import TRAIN

REWARD = "def brief(completion, grade):\n    return grade.reward / len(completion)\n"
CHOICES = {"reward": SCORE, "selector": SELECT, "loader": TRAIN}

Install = Callable[..., Path]


@pytest.fixture
def reward(tmp_path: Path) -> Path:
    path = tmp_path / "reward.py"
    path.write_text(REWARD)
    return path


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a distribution with a module and an entry point of it on the path."""

    def make(name: str, source: str, entry: str, version: str = "1.0") -> Path:
        site = tmp_path / f"site-{name}"
        facts = site / f"{name}-{version}.dist-info"
        shutil.rmtree(site, ignore_errors=True)
        facts.mkdir(parents=True)
        (facts / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}")
        (facts / "entry_points.txt").write_text(f"[restem.rewards]\n{entry}\n")
        (facts / "top_level.txt").write_text(f"{name}\n")
        path = site / name / "rewards.py"
        path.parent.mkdir()
        (path.parent / "__init__.py").write_text("raise RuntimeError('imported')")
        path.write_text(source)
        if str(site) not in sys.path:
            monkeypatch.syspath_prepend(str(site))
        return path

    return make


def test_a_file_is_found_and_not_run(tmp_path: Path) -> None:
    path = tmp_path / "reward.py"
    path.write_text(f"raise RuntimeError('run')\n{REWARD}")
    found = find_function(SCORE, f"{path}:brief")
    assert (found.name, found.arguments) == ("brief", ("completion", "grade"))
    assert found.source == path.read_text() and found.label == "reward.py:brief"


@pytest.mark.parametrize(
    ("kind", "source", "said"),
    [
        ("reward", "def brief(completion):\n return (", r"reward.py line 2: not Python"),
        ("reward", "def breif(completion): ...", r"does not define brief \(did you mean breif\?\)"),
        ("reward", "from math import sqrt as brief", "`def brief.*in this very file"),
        ("reward", "brief = lambda completion: 1.0", "does not define brief"),
        ("reward", "class A:\n def brief(self): ...", "does not define brief"),
        ("reward", "async def brief(completion): ...", "brief is async; expected a plain function"),
        ("reward", "def brief(*texts): ...", "takes 'texts' without a name"),
        ("reward", "def brief(completion, **more): ...", "takes 'more' without a name"),
        ("reward", "def brief(completion, /): ...", "takes 'completion' without a name"),
        (
            "reward",
            "def brief(completions): ...",
            r"asks for 'completions' \(did you mean completion\?\); a reward may ask for: question",
        ),
        ("reward", "def brief(completion, long=100): ...", "asks for 'long'"),
        ("selector", "def brief(found): ...", "a selector may ask for: candidates"),
        ("selector", "def brief(): ...", "takes nothing; expected the argument candidates"),
        ("loader", "def brief(path): ...", "a loader may ask for: split, source"),
        ("reward", "\0", "not Python"),
        ("reward", "(" * 1000, "not Python"),
        ("reward", "#" * (MAX_BYTES + 1), "expected a file of at most 256 kB"),
    ],
)
def test_a_function_that_cannot_be_called_is_one_line(
    kind: str, source: str, said: str, reward: Path
) -> None:
    reward.write_text(source)
    with pytest.raises(UserError, match=said) as caught:
        find_function(CHOICES[kind], f"{reward}:brief")
    assert str(caught.value).startswith(CHOICES[kind].field) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/nowhere/reward.py:brief", "no such file"),
        ("nowhere.rewards:brief", "there is no module nowhere.rewards"),
        ("math:sqrt", "no module math with a source in Python"),
        ("json.nowhere:brief", "there is no module json.nowhere"),
        ("correkt", r"'correkt' \(did you mean correct\?\); expected one of correct, tests"),
    ],
)
def test_what_is_nowhere_is_one_line(text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as caught:
        find_function(SCORE, text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "reward.py", "reward.py:", "a.py:not a name", "a.py:x.y", "a b:c", "a:b:c", "-x"]
)
def test_another_form_is_refused_by_the_field(text: str) -> None:
    with pytest.raises(ValidationError, match=r"or a function of your own: path/to/file\.py"):
        FilterSettings(score=text)


def test_a_relative_path_becomes_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert FilterSettings(score="a/b.py:f").score == f"{tmp_path}/a/b.py:f"
    assert FilterSettings(score="package.module:f").score == "package.module:f"


def test_the_key_has_the_content_and_not_the_place(reward: Path, tmp_path: Path) -> None:
    def key(path: Path) -> object:
        return FilterSettings(score=f"{path}:brief").recipe()["score"]

    moved = tmp_path / "elsewhere" / "other.py"
    moved.parent.mkdir()
    moved.write_text(REWARD)
    before = key(reward)
    assert key(moved) == before and str(tmp_path) not in str(before)
    moved.write_text(REWARD.replace("/", "*"))
    assert key(moved) != before


def test_a_configuration_keeps_the_file_as_it_was_at_the_first_look(reward: Path) -> None:
    settings = FilterSettings(score=f"{reward}:brief")
    before = settings.recipe()
    reward.write_text(REWARD + "# edited\n")
    assert settings.recipe() == before
    assert settings.model_copy(update={"min_reward": 0.5}).functions == settings.functions
    assert FilterSettings(score=f"{reward}:brief").recipe() != before


def test_without_functions_keys_are_what_they_were() -> None:
    assert not {"score", "rewards", "function_seconds"} & FilterSettings().recipe().keys()
    assert FilterSettings(score="tests").recipe()["score"] == "tests"
    call = problems_call(DataSettings())
    assert (call.settings["train"], call.settings["test"]) == ("synthetic_math", "same")
    assert call.hints == DataSettings().model_dump()


def test_several_rewards_are_in_the_key_by_their_content(reward: Path) -> None:
    parts = [{"reward": "correct", "at_least": 1.0}, {"reward": f"{reward}:brief", "weight": 0.5}]
    settings = FilterSettings(rewards=parts)  # type: ignore[arg-type]
    first, second = settings.recipe()["rewards"]
    assert first == {"reward": "correct", "weight": 1.0, "at_least": 1.0}
    digest = settings.functions["rewards[1]"].sha256
    assert second["reward"] == {"function": "brief", "sha256": digest}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"rewards": [{"weight": 0.0}]}, "all weights are 0"),
        ({"rewards": [{}], "score": "tests"}, "name it among them"),
        ({"rewards": [{"reward": "no name"}]}, "rewards.0.reward"),
    ],
)
def test_rewards_that_make_no_sense_are_refused(more: dict, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        FilterSettings(**more)


def test_an_installed_function_is_found_by_its_name_and_not_imported(install: Install) -> None:
    path = install("marbles", REWARD, "brief = marbles.rewards:brief")
    by_name, by_module = (find_function(SCORE, text) for text in ("brief", "marbles.rewards:brief"))
    assert by_name.file == by_module.file == str(path)
    assert "marbles" not in sys.modules
    assert by_name.key == by_module.key and by_name.key["version"] == "1.0"


def test_an_installed_function_of_another_text_or_version_has_another_key(
    install: Install,
) -> None:
    keys = []
    for source, version in ((REWARD, "1.0"), (REWARD, "1.1"), (f"{REWARD}#", "1.1")):
        install("marbles", source, "brief = marbles.rewards:brief", version)
        keys.append(str(find_function(SCORE, "brief").key))
    assert len(set(keys)) == 3


def test_an_installed_name_that_two_have_is_refused(install: Install) -> None:
    for name in ("marbles", "pebbles"):
        install(name, REWARD, f"brief = {name}.rewards:brief")
    with pytest.raises(UserError, match="stands for marbles"):
        find_function(SCORE, "brief")


def test_an_unknown_name_suggests_what_is_installed(install: Install) -> None:
    install("marbles", REWARD, "brief = marbles.rewards:brief")
    with pytest.raises(UserError, match=r"'breif' \(did you mean brief\?\)"):
        find_function(SCORE, "breif")


def test_paths_of_a_file_begin_at_its_folder_and_those_of_changes_where_we_are(
    reward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "project"
    (folder / "own").mkdir(parents=True)
    shutil.copy(reward, folder / "own" / "reward.py")
    file = folder / "run.toml"
    file.write_text('[filter]\nscore = "own/reward.py:brief"\n')
    monkeypatch.chdir(tmp_path)
    found = load_config(file)
    assert found.filter.score == f"{folder}/own/reward.py:brief"
    changed = load_config(file, ["filter.score=reward.py:brief"])
    assert changed.filter.score == f"{reward}:brief"
    assert changed.run_id == found.run_id
    parts = '[{reward = "own/reward.py:brief"}]'
    file.write_text(f"[filter]\nrewards = {parts}\n")
    assert load_config(file).filter.rewards[0].reward == f"{folder}/own/reward.py:brief"


def test_what_is_saved_of_a_run_is_that_run_from_anywhere(
    reward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begun = load_config("math-demo", ["filter.score=reward.py:brief"])
    monkeypatch.chdir("/")
    again = RestEmConfig.model_validate(begun.model_dump())
    assert again.run_id == begun.run_id
    assert str(tmp_path) not in str(begun.described())
    assert "reward.py:brief (sha256 " in begun.described()["filter"]["score"]


def test_a_reward_that_asks_for_all_samples_needs_their_number(reward: Path) -> None:
    reward.write_text("def brief(samples): ...")
    changes = [f"filter.score={reward}:brief"]
    load_config("math-demo", changes)
    with pytest.raises(UserError, match=r"brief asks for samples.*no sampling\.enough"):
        load_config("math-demo", [*changes, "sampling.enough=2"])


def test_a_run_whose_file_is_gone_can_still_be_read(reward: Path) -> None:
    config = RestEmConfig(filter=FilterSettings(score=f"{reward}:brief"))
    reward.unlink()
    again = RestEmConfig.model_validate(config.model_dump())
    assert again.resources == config.resources and again.first_name == "rest-em"
    with pytest.raises(UserError, match="no such file"):
        again.run_id  # noqa: B018


def test_the_form_has_plain_texts_that_list_our_names() -> None:
    sections = RestEmConfig.model_json_schema()["$defs"]
    for section, field, choice in (
        ("FilterSettings", "score", SCORE),
        ("FilterSettings", "select", SELECT),
        ("DataSettings", "train", TRAIN),
    ):
        found = sections[section]["properties"][field]
        assert found["type"] == "string" and "anyOf" not in found and "enum" not in found
        assert all(name in found["description"] for name in choice.names)
        assert set(choice.names) < set(found["examples"])
    assert sections["FilterSettings"]["properties"]["rewards"]["items"] == {
        "$ref": "#/$defs/WeightedReward"
    }
