"""Facts are written and read by their owners; what does not fit is named."""

import json
from pathlib import Path

import pytest

from tasks.evaluate.intervals import Interval
from tasks.evaluate.results import Bin, Change, McNemar, Metrics
from tasks.facts import Facts, FactsFile, WrongFacts, of_json
from tasks.finetune.results import HistoryEntry, TrainingFacts
from tasks.score.second.opinion import Opinion, Second, Seen
from tasks.select.results import LevelCount, SelectionCounts
from tasks.store.manifest import ArtifactRef

ONE = Interval(0.5, 0.25, 0.75, 8)
METRICS = Metrics({"greedy": ONE, "pass@4": ONE}, {"1": ONE}, {}, 12.5, None, {"correct": 4})
TRAINING = TrainingFacts(
    8, 0, 3, 90, 40, 2, 2, 0.5, [HistoryEntry(1, loss=0.25), HistoryEntry(2, reward=0.5)]
)
COUNTS = SelectionCounts(samples=4, kept=2, levels={"2": LevelCount(3, 1), "1": LevelCount(1, 1)})


@pytest.mark.parametrize("facts", [METRICS, TRAINING, COUNTS, SelectionCounts(pairs=0)])
def test_a_file_gives_back_what_was_written(facts: FactsFile, tmp_path: Path) -> None:
    facts.write(tmp_path)
    again = type(facts).read(tmp_path)
    assert again == facts
    first = (tmp_path / facts.FILE).read_bytes()
    again.write(tmp_path)
    assert (tmp_path / facts.FILE).read_bytes() == first


@pytest.mark.parametrize(
    "facts", [McNemar(3, 1, 0.6), Bin("50% to 75%", 4, 0.5, 0.75, ONE), Change(*"abcde")]
)
def test_facts_without_a_file_too(facts: Facts) -> None:
    assert type(facts).from_json(json.loads(json.dumps(facts.to_json()))) == facts


def test_files_hold_no_field_that_says_nothing(tmp_path: Path) -> None:
    TRAINING.write(tmp_path)
    COUNTS.write(tmp_path)
    training = json.loads((tmp_path / "training.json").read_text())
    assert training["history"] == [{"step": 1, "loss": 0.25}, {"step": 2, "reward": 0.5}]
    counts = json.loads((tmp_path / "counts.json").read_text())
    assert not {"first", "pairs"} & counts.keys() and list(counts["levels"]) == ["1", "2"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"steps": None}, "training.json: steps: None; expected int"),
        ({"best_step": "2"}, "training.json: best_step: '2'; expected int"),
        ({"best": 2}, "training.json: best: expected one of rows, dropped_long"),
        ({"history": [{"loss": 1.0}]}, "training.json: history: 0: step is missing"),
    ],
)
def test_a_field_that_does_not_fit_is_named(change: dict, said: str, tmp_path: Path) -> None:
    path = tmp_path / TrainingFacts.FILE
    path.write_text(json.dumps(TRAINING.to_json() | change))
    with pytest.raises(WrongFacts, match=said):
        TrainingFacts.read(tmp_path)


def test_old_files_get_the_defaults_of_later_fields() -> None:
    assert Metrics.from_json({"metrics": {}, "levels": {}}).subjects == {}
    assert SelectionCounts.from_json({"samples": 3}).first is None


def test_a_reference_passes_over_what_a_later_version_adds() -> None:
    ref = ArtifactRef("samples", "0123", "d", 2)
    assert ArtifactRef.from_json({**ref.to_json(), "later": 1}) == ref


def test_an_enum_is_read_and_a_wrong_word_is_named() -> None:
    second = Second(Opinion.EQUAL, gold=Seen("1/2", "0.5"))
    assert Second.from_json(json.loads(json.dumps(second.to_json()))) == second
    with pytest.raises(WrongFacts, match="Second: opinion: 'same'; expected Opinion"):
        Second.from_json({"opinion": "same"})


def test_what_is_wrong_is_one_line_whatever_stands_in_the_file() -> None:
    for name in ("\n", "\x1b[31m", "\u2028", "\ud800"):
        with pytest.raises(WrongFacts) as caught:
            of_json(dict[str, int], {name: "x"}, "a.json")
        assert str(caught.value).isprintable()
