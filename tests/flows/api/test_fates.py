"""Samples by what a selection made of them, as the artifacts of a run tell it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flows.api.reading import read_run
from flows.runs.sample_filter import SampleFilter
from tasks.dag.step_names import PAIRS
from tasks.errors import UserError
from tasks.rows import Status
from tasks.select.results import SelectionCounts
from tests.flows.api.samples_parts import RUN, Made, Selected, Shard, make_run

RIGHT, WRONG = Status.CORRECT, Status.WRONG_ANSWER
# The second shard has further samples of the same problem.
SHARDS = [
    Shard("draw", 0, [Made("p", 0, "a b", RIGHT), Made("p", 1, "c", RIGHT)]),
    Shard("draw", 0, [Made("p", 2, "a  b", RIGHT), Made("p", 3, "d", WRONG)]),
    Shard("draw", 1, [Made("p", 0, "a b", RIGHT)]),
    Shard("test", 0, [Made("p", 0, "a b", RIGHT)]),
]
COUNTS = SelectionCounts(4, 3, dropped_reward=1, dropped_duplicate=1, dropped_cap=1, kept=1)
FIRST = Selected(0, [(0, 1)], COUNTS, {"cap": 1, "seed": 3, "prompt": "x", "shots": 0})


def found(fate: str, **asked: Any) -> list[tuple[int, int, str]]:
    samples = read_run(RUN).samples(fate=fate, **asked)
    return [(one.iteration, one.index, one.text) for one in samples]


def test_each_accepted_sample_has_the_fate_that_was_counted(home: Path) -> None:
    make_run({"p": "q"}, SHARDS, selected=[FIRST])
    assert found("kept") == [(0, 1, "c")]
    assert found("duplicate") == [(0, 2, "a  b")]
    assert found("over_cap") == found("over_cap", iteration=0) == [(0, 0, "a b")]
    assert found("over_cap", text="c") == []
    with pytest.raises(UserError, match="fate: kept: no rows were selected from these samples"):
        found("kept", iteration=1)


def test_samples_cut_at_the_limit_and_outside_the_band_are_told(home: Path) -> None:
    drawn = [
        *(Made("p", 0, "a", RIGHT), Made("p", 1, "b", RIGHT, "length"), Made("p", 2, "c", WRONG)),
        *(Made("q", 0, "d", RIGHT), Made("q", 1, "e", RIGHT)),
    ]
    counts = SelectionCounts(
        5, 4, dropped_reward=1, dropped_unfinished=1, dropped_band=2, dropped_cap=0, kept=1
    )
    rules = {"cap": 1, "max_pass_rate": 0.8, "seed": 3, "prompt": "x", "shots": 0}
    run = [Shard("draw", 0, drawn)]
    make_run({"p": "?", "q": "?"}, run, selected=[Selected(0, [(0, 0)], counts, rules)])
    assert found("kept") == [(0, 0, "a")]
    assert found("unfinished") == [(0, 1, "b")]
    assert found("outside_band") == [(0, 0, "d"), (0, 1, "e")]
    assert found("over_cap") == []
    (cut,) = read_run(RUN).samples(finish="length")
    assert cut.text == "b"


@pytest.mark.parametrize(
    ("selected", "fate"),
    [
        (replace(FIRST, step=PAIRS), "kept"),
        (replace(FIRST, rules={**FIRST.rules, "thinking": "drop"}), "duplicate"),
        (replace(FIRST, rules={**FIRST.rules, "dedup": "none"}), "duplicate"),
        (replace(FIRST, counts=replace(COUNTS, dropped_cap=0, dropped_band=1)), "over_cap"),
        (replace(FIRST, counts=replace(COUNTS, dropped_cap=0, dropped_band=1)), "outside_band"),
    ],
)
def test_what_the_rows_do_not_tell_is_not_shown(home: Path, selected: Selected, fate: str) -> None:
    make_run({"p": "q"}, SHARDS, selected=[selected])
    with pytest.raises(UserError, match=f"fate: {fate}: the rows .* p0 do not tell"):
        read_run(RUN).reader.page(SampleFilter(fate=fate), 0, 9)


def test_rows_that_are_gone_are_said(home: Path) -> None:
    make_run({"p": "q"}, SHARDS, selected=[FIRST])
    (file,) = home.glob("store/rows/*/rows.parquet")
    file.write_bytes(b"x" + file.read_bytes()[1:])
    with pytest.raises(UserError, match="artifact rows/"):
        found("kept")
