"""An audit of a hand-made run on which the two checkers disagree."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.audit.estimate import CheckedPair
from flows.audit.flow import Options, audit_run
from flows.audit.labels import read_labels, write_lines
from flows.audit.page import markdown, render
from flows.audit.sample import Stratum, draw_pairs, shares
from flows.audit.tables import audit_text
from tasks.errors import UserError
from tasks.score.second.opinion import Opinion, Second
from tests.flows.audit.audit_parts import LIMIT, PAIRS, make_run
from tests.flows.rest_em.report_parts import HOSTILE, check

HOW = Options(pairs=0, limit=LIMIT, workers=2)


def quiet(done: int, total: int) -> None:
    assert 0 < done <= total


@pytest.mark.slow
def test_both_readings_of_each_disagreement(made: Path) -> None:
    facts = audit_run("made", HOW, quiet).to_json()
    accepted, refused = (facts["disagreements"][side] for side in ("accepted", "refused"))
    found = {(one["reference"], one["extracted"], one["second_text"]) for one in accepted}
    assert found == {("5", "five", ""), ("12:30", "12:30", "12")}
    assert [(one["second_value"], one["status"]) for one in refused] == [
        ("1/factorial(2006)", "wrong_answer")
    ]
    assert facts["undecided"] == {"time": 1}
    # Two samples of each problem have one text: a pair is counted once.
    assert facts["samples"] == 16 and sum(s["pairs"] for s in facts["strata"].values()) == 8


@pytest.mark.slow
def test_agreement_by_subject_and_error_rates_from_the_counts(made: Path) -> None:
    facts = audit_run("made", HOW, quiet).to_json()
    groups = facts["agreement"]["groups"]
    assert {name: one["disagreements"] for name, one in groups.items()} == {
        "agreed": 0,
        "words": 2,
        "large": 1,
    }
    # The endless pair is a checker error of ours too, so in no rate.
    assert facts["strata"]["unsettled"]["pairs"] == 1
    assert facts["agreement"]["overall"]["value"] == pytest.approx(4 / 7)
    bounds = {name: m["value"] for name, m in facts["bounds"].items()}
    assert bounds["accepted_wrong"] == pytest.approx(2 / 4)
    assert bounds["refused_right"] == pytest.approx(1 / 3)
    assert bounds["false_positive"] == pytest.approx(2 / (2 + 2))
    assert bounds["false_negative"] == pytest.approx(1 / (1 + 2))
    assert facts["estimates"] is None


def label(path: Path, judge: Any) -> None:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        row["label"] = judge(row)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.mark.slow
def test_labels_turn_bounds_into_estimates(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    audit_run("made", Options(pairs=0, limit=LIMIT, out=file), quiet)
    assert all(json.loads(line)["label"] == "" for line in file.read_text().splitlines())
    # Five is 5 and 12:30 is 12:30; 1/2004! is not 1/2006!: our checker is right throughout.
    label(file, lambda row: "unequal" if "!" in row["reference"] else "equal")
    facts = audit_run("made", Options(pairs=0, limit=LIMIT, labels=file), quiet).to_json()
    for name, estimate in facts["estimates"].items():
        assert estimate["value"] == 0.0, name
        assert 0 < estimate["high"] <= 1
    assert facts["labels"]["accepted"] == {"disagreements": 2, "labelled": 2, "ours_wrong": 0}
    label(file, lambda row: "equal" if "!" in row["reference"] else "unequal")
    facts = audit_run("made", Options(pairs=0, limit=LIMIT, labels=file), quiet).to_json()
    assert facts["estimates"] == facts["bounds"]


@pytest.mark.slow
def test_a_part_of_the_labels_stands_for_the_rest(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    audit_run("made", Options(pairs=0, limit=LIMIT, out=file), quiet)
    label(file, lambda row: "equal" if row["reference"] == "5" else "")
    facts = audit_run("made", Options(pairs=0, limit=LIMIT, labels=file), quiet).to_json()
    assert facts["labels"]["accepted"] == {"disagreements": 2, "labelled": 1, "ours_wrong": 0}
    seen, most = facts["estimates"]["accepted_wrong"], facts["bounds"]["accepted_wrong"]
    # One label in our favour: the estimate is none, and yet nearly all of the bound is possible.
    assert seen["value"] == 0.0 and 0.9 * most["high"] < seen["high"] <= most["high"]
    assert facts["estimates"]["refused_right"] is None


def id_of(line: str) -> str:
    return json.loads(line)["id"]


@pytest.mark.slow
def test_labels_survive_being_written_again(made: Path, tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    audit_run("made", Options(pairs=0, limit=LIMIT, out=file), quiet)
    label(file, lambda row: "equal")
    before = file.read_text()
    audit_run("made", Options(pairs=0, limit=LIMIT, out=file, labels=file), quiet)
    assert file.read_text() == before
    # A smaller draw that meets only one of them loses none.
    judged = [one for one in draw_pairs("made", 0, 0).pairs if one.extracted == "five"]
    write_lines(file, [CheckedPair(judged[0], Second(Opinion.UNEQUAL))], {judged[0].id: True})
    assert read_labels(file) == dict.fromkeys(map(id_of, before.splitlines()), True)


def test_a_draw_is_seeded_and_both_verdicts_are_seen(home: Path) -> None:
    rare = [{"gold": "3", "text": "The answer is 3."}]
    common = [{"gold": "3", "text": f"The answer is {n}."} for n in range(100, 400)]
    make_run(home, rare + common)
    first, again = draw_pairs("made", 20, seed=1), draw_pairs("made", 20, seed=1)
    other = draw_pairs("made", 20, seed=2)
    assert first.pairs == again.pairs and len(first.pairs) == 20
    assert {pair.id for pair in first.pairs} != {pair.id for pair in other.pairs}
    for drawn in (first, other):
        strata = Counter(pair.stratum for pair in drawn.pairs)
        assert strata == {Stratum.ACCEPTED: 1, Stratum.REFUSED: 19}
        assert drawn.sizes == {
            Stratum.ACCEPTED: 1,
            Stratum.REFUSED: 300,
            Stratum.UNSETTLED: 0,
        }


@pytest.mark.slow
def test_weights_undo_the_strata(home: Path) -> None:
    """100 right and 300 wrong pairs: of 40 asked, half are right, but agreement is of the run."""
    right = [{"gold": str(n), "text": f"The answer is {n}."} for n in range(99)]
    wrong = [{"gold": "3", "text": f"The answer is {n}."} for n in range(100, 400)]
    make_run(home, [*right, {"gold": "5", "text": "five"}, *wrong])
    facts = audit_run("made", Options(pairs=0, limit=LIMIT, workers=2), quiet).to_json()
    assert facts["agreement"]["overall"]["value"] == pytest.approx(1 - 1 / 400)
    assert facts["bounds"]["accepted_wrong"]["value"] == pytest.approx(1 / 100)
    part = audit_run("made", Options(pairs=200, limit=LIMIT, workers=2), quiet).to_json()
    assert {side: one["asked"] for side, one in part["strata"].items()} == {
        "accepted": 100,
        "refused": 100,
        "unsettled": 0,
    }
    assert part["agreement"]["overall"]["value"] == pytest.approx(1 - 1 / 400)


@pytest.mark.parametrize(
    "sizes, count, given",
    [
        ((10, 10, 0), 10, (5, 5, 0)),
        ((2, 100, 3), 30, (2, 25, 3)),
        ((2, 100, 3), 0, (2, 100, 3)),
        ((2, 3, 4), 1000, (2, 3, 4)),
        ((50, 50, 50), 2, (0, 1, 1)),
    ],
)
def test_shares_of_strata(sizes: Any, count: int, given: Any) -> None:
    found = shares(dict(zip(Stratum, sizes, strict=True)), count)
    assert tuple(found[one] for one in Stratum) == given


def test_an_error_that_was_not_seen_is_not_called_none(home: Path) -> None:
    """Four answers accepted, four refused, and no word against any: rates of up to 60%."""
    make_run(home, [{"gold": str(n), "text": f"The answer is {n + n % 2}."} for n in range(8)])
    facts = audit_run("made", HOW, quiet)
    text = check(render(facts)).text
    assert "≤ 60.2%" in text and "false-positive rate, none seen" in text
    assert "≤ 0.0%" not in text and "0.00% [" not in text.split("Agreement by")[0]
    assert "none seen, at most 60.24%" in audit_text(facts)


@pytest.mark.slow
def test_hostile_text_is_shown_and_not_run(home: Path) -> None:
    pair = {"gold": "5", "text": HOSTILE.replace("\ud800", "") + "\nfive", "question": "<b>"}
    level = {"level": HOSTILE.replace("\ud800", "")}
    make_run(home, [{**pair, **level}, {**PAIRS[4], **level}])
    facts = replace(audit_run("made", HOW, quiet), run=HOSTILE)
    page = check(render(facts))
    assert '<script>document.title="owned"</script>' in page.text
    assert "<script>" not in markdown(facts)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("nonsense\n", "line 1: not JSON"),
        ("[1]\n", 'line 1: expected an object with "id"'),
        ('{"label": "equal"}\n', 'line 1: expected an object with "id"'),
        ('{"id": "a", "label": "same"}\n', 'line 1: label "same"; expected "equal"'),
        ('{"id": "a", "label": true}\n', "line 1: label true"),
        ('{"id": "a"}\n', "line 1: label null"),
        (
            '{"id": "a", "label": "equal"}\n{"id": "a", "label": "unequal"}\n',
            "line 2: id a was labelled otherwise before",
        ),
    ],
)
def test_a_wrong_label_is_named_by_its_line(tmp_path: Path, text: str, expected: str) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(text)
    with pytest.raises(UserError, match=re.escape(expected)):
        read_labels(file)
