"""A selector of the user's own: what it is given, and that it can choose nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.dag.step import Call
from tasks.errors import UserError
from tasks.prompts import PromptChoice
from tasks.select.own_selector import LOG, OwnSelector
from tasks.select.select import select
from tasks.select.selectors import Candidate
from tasks.select.step import select_call
from tasks.settings import FilterSettings
from tasks.settings.filter import SELECT
from tasks.settings.find_function import find_function
from tasks.store.store import ArtifactRef
from tests.tasks.select.test_select import OFF, problem, sample, shard

SHORTEST = "def choose(candidates):\n    return [min(candidates, key=lambda one: one.length)]\n"
FOUND = [Candidate(n, bytes([n]) * 16, 1.0 - n / 10, 0, n, 9 - n) for n in range(4)]


def selector(folder: Path, source: str, seconds: float = 60.0) -> OwnSelector:
    (folder / "choose.py").write_text(source)
    return OwnSelector(find_function(SELECT, f"{folder}/choose.py:choose"), seconds, folder)


def test_it_is_given_the_candidates_as_they_are_and_its_order_does_not_matter(
    tmp_path: Path,
) -> None:
    source = (
        "def choose(candidates):\n"
        f"    assert repr(candidates) == {repr(FOUND)!r}\n"
        "    kept = [one for one in candidates if one.index % 2]\n"
        "    candidates.clear()\n"
        "    return tuple(reversed(kept))\n"
    )
    with selector(tmp_path, source) as choose:
        assert sorted(choose("p", FOUND)) == [FOUND[1], FOUND[3]]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return None", "it returned NoneType; expected a list of candidates"),
        ("return [one.index for one in candidates]", "it returned 0, which is not one of the cand"),
        ("return [candidates[0]._replace(reward=2.0)]", "is not one of the candidates"),
        ("return [candidates[1], candidates[1]]", "returned the candidate with index 1 twice"),
        ("return candidates[9]", "IndexError: list index out of range"),
        ("import os; os._exit(1)", "it ended its process"),
    ],
)
def test_anything_else_is_an_error_that_names_function_and_problem(
    body: str, said: str, tmp_path: Path
) -> None:
    with (
        selector(tmp_path, f"def choose(candidates):\n    {body}\n") as choose,
        pytest.raises(UserError) as caught,
    ):
        choose("set/train/7", FOUND)
    text = str(caught.value)
    assert text.startswith("filter.select: choose.py:choose: set/train/7: ") and said in text
    assert "\n" not in text and said in (tmp_path / LOG).read_text()


def test_one_that_never_ends_is_ended(tmp_path: Path) -> None:
    source = "def choose(candidates):\n    while True: pass\n"
    with (
        selector(tmp_path, source, seconds=0.5) as choose,
        pytest.raises(UserError, match=r"it took more than 0\.5 s"),
    ):
        choose("p", FOUND)


def test_what_it_leaves_out_is_counted(tmp_path: Path) -> None:
    rows = [sample("a", n, "x" * (9 - n)) for n in range(4)] + [sample("b", 0, "y")]
    shards = [shard(tmp_path, rows)]
    settings = FilterSettings(**OFF)  # type: ignore[arg-type]
    with selector(tmp_path, SHORTEST) as choose:
        made, counts = select(
            shards, [problem("a"), problem("b")], settings, 0, lambda row: "", choose=choose
        )
        kept = [(row["problem_id"], row["index"]) for row in made]
    assert kept == [("a", 3), ("b", 0)]
    assert (counts.samples, counts.kept, counts.dropped_cap) == (5, 2, 3)


def test_its_content_is_in_the_key_and_its_place_is_not(tmp_path: Path) -> None:
    ref = ArtifactRef("problems", "k", "d", 1)

    def call(source: str, folder: Path = tmp_path) -> Call:
        folder.mkdir(exist_ok=True)
        (folder / "choose.py").write_text(source)
        settings = FilterSettings(select=f"{folder}/choose.py:choose")
        return select_call(
            "select",
            settings,
            seed=0,
            prompt="p",
            shots=0,
            template=PromptChoice("t"),
            problems=ref,
            samples=[],
            verdicts=[],
        )

    made = call(SHORTEST)
    assert call(SHORTEST, tmp_path / "moved").key == made.key
    assert call(SHORTEST + "\n").key != made.key
    assert str(tmp_path) not in str(made.settings)
