"""Whose turn is which pair, and who agrees with whom."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flows.audit.label.labels import LabelFile
from flows.audit.label.session import AgreementLine, Says, agreements
from tasks.errors import UserError
from tests.flows.audit.label.label_parts import asked, session


def keyed(values: list[float | None]) -> dict[tuple[str, int, int], float | None]:
    return {(f"p{n}", 0, 1): p for n, p in enumerate(values)}


# Ten pairs. Both say `first` of 3 and `second` of 3 of them, and once both a tie; po = 7/10.
ANN = [1, 1, 1, 1, 0, 0, 0, 0.5, 0, 1, None, 1]
BOB = [1, 1, 1, 0, 0, 0, 0, 0.5, 1, 0.5, 1, None]


def one_of(found: list[AgreementLine], one: str, other: str) -> AgreementLine:
    (line,) = [line for line in found if (line.one, line.other) == (one, other)]
    return line


def test_kappa_of_two_people_is_what_a_person_works_out() -> None:
    found = agreements({"ann": keyed(ANN), "bob": keyed(BOB)}, {})
    line = one_of(found, "ann", "bob").found
    assert line.pairs == 10
    assert line.share.value == pytest.approx(0.7)
    assert line.kappa is not None
    # Ann: 5 first, 1 tie, 4 second; Bob: 4, 2, 4; pe = (20 + 2 + 16) / 100.
    assert line.kappa.value == pytest.approx((0.7 - 0.38) / (1 - 0.38))


def test_each_is_compared_with_each_and_with_the_runs_own() -> None:
    judge = {("p0", 0, 1): 0.9, ("p1", 0, 1): 0.2}
    people = {name: keyed([1, 0]) for name in ("ann", "bob", "cem")}
    found = agreements(people, {"judge": judge})
    assert {(one.one, one.other) for one in found} == {
        *(("ann", "bob"), ("ann", "cem"), ("bob", "cem")),
        *((name, "the judge") for name in people),
    }
    assert one_of(found, "ann", "the judge").found.share.value == 1.0


def test_people_without_a_pair_in_common_have_no_line() -> None:
    assert agreements({"ann": keyed([1, None]), "bob": keyed([None, 1])}, {}) == []


def test_people_see_the_same_pairs_in_orders_of_their_own(tmp_path: Path) -> None:
    pairs = asked(40)
    lefts = list[list[str]]()
    for person in ("ann", "bob"):
        mine = session(tmp_path / "labels.jsonl", person, pairs)
        shown = list[str]()
        while (state := mine.state()).shown is not None:
            shown.append(state.shown.left)
            mine.say(state.shown.id, Says.TIE)
        lefts.append(shown)
    assert [text.split()[1] for text in lefts[0]] == [text.split()[1] for text in lefts[1]]
    for shown in lefts:
        assert 8 < sum(text.startswith("first") for text in shown) < 32
    assert lefts[0] != lefts[1]


def test_lines_of_others_stay_as_they_are(tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    strange = '{"problem": "x", "first": 3,  "second": 1, "p": 0.25, "note": "é"}'
    own = json.dumps({"problem": "p0", "first": 0, "second": 1, "p": 1, "who": "bob"})
    file.write_text(f"{strange}\n\n{own}\n", encoding="utf-8")
    session(file).say("id0", Says.TIE)
    assert file.read_text(encoding="utf-8").splitlines()[:2] == [strange, own]


def test_labels_of_other_texts_are_none_of_these_pairs(tmp_path: Path) -> None:
    """Another policy's samples have the same indices."""
    file = tmp_path / "labels.jsonl"
    line = {"problem": "p0", "first": 0, "second": 1, "p": 1.0, "who": "ann", "texts": ["a", "b"]}
    file.write_text(json.dumps(line) + "\n")
    mine = session(file)
    assert mine.state().labelled == 0
    mine.say("id0", Says.TIE)
    assert [label.p for label in LabelFile(file).read()] == [1.0, 0.5]


def test_a_file_with_a_mistake_is_refused_before_anything_is_shown(tmp_path: Path) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text('{"problem": "a"}\n')
    with pytest.raises(UserError, match=r"labels\.jsonl line 1: field 'first': expected"):
        LabelFile(file).check()


@pytest.mark.parametrize("place", [".", "nowhere/labels.jsonl"])
def test_a_place_that_takes_no_file_is_refused(tmp_path: Path, place: str) -> None:
    with pytest.raises(UserError, match="--out "):
        LabelFile(tmp_path / place).check()
