"""Which samples of a run a filter takes, against a pass over all rows, and a page of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import flows.api.samples
import tasks.rows
from flows.api.reading import read_run
from flows.api.samples import ScoredSample
from flows.runs.sample_filter import GROUPS, SampleFilter
from tasks.errors import UserError
from tasks.rows import Status
from tests.flows.api.samples_parts import RUN, Made, Shard, make_run

PROBLEMS = {"7": "What is 3 + 4?", "p7": "Is 7 even?", "x=1": "x\u202e", "none": "nobody tried"}
TRIED = [name for name in PROBLEMS if name != "none"]
TEXTS = ["", "#### 7", "so 3 + 4 = 7", "\u202e☃ é", "%_.*\\"]
ENDS = ["stop", "length"]
MANY, ONE = ("draw", "pass@k"), ("test", "validation")


@st.composite
def shard_lists(draw: st.DrawFn) -> list[Shard]:
    """Shards of a base and a policy, in the order of a journal; one for each purpose at least."""
    made = []
    for iteration in (0, 1):
        for purpose in (*MANY, *ONE):
            most = 5 if purpose in MANY else 1
            samples = [
                Made(
                    name,
                    index,
                    draw(st.sampled_from(TEXTS)),
                    draw(st.sampled_from(Status)),
                    draw(st.sampled_from(ENDS)),
                )
                for name in draw(st.permutations(TRIED))
                for index in range(draw(st.integers(0, most)))
            ]
            cut = draw(st.integers(0, len(samples)))
            made += [Shard(purpose, iteration, part) for part in (samples[:cut], samples[cut:])]
    return made


FILTERS = st.builds(
    SampleFilter,
    st.sampled_from([*MANY, *ONE]),
    st.sampled_from([None, 0, 1]),
    st.sampled_from(["", *Status, *GROUPS]),
    st.sampled_from(["", "solved", "lost"]),
    st.sampled_from(["", "7", "p7", "3 + 4", "even", "x=1", "no such"]),
    st.sampled_from(["", "7", "#### ", "☃", "\\", "no such"]),
    finish=st.sampled_from(["", *ENDS, "error"]),
)


def taken(asked: SampleFilter, shards: list[Shard]) -> list[tuple[int, Made]]:
    """What a person would take, row by row."""
    base = {
        one.problem: one.reward
        for shard in shards
        if (shard.purpose, shard.iteration) == (asked.purpose, 0)
        for one in shard.samples
    }
    found = []
    for shard in shards:
        for one in shard.samples:
            if shard.purpose != asked.purpose or asked.iteration not in (None, shard.iteration):
                continue
            verdict = one.status.value
            if asked.status in GROUPS:
                right = one.status in GROUPS[asked.status]
            else:
                right = asked.status in ("", verdict)
            if asked.problem in PROBLEMS:
                right &= one.problem == asked.problem
            else:
                right &= asked.problem in PROBLEMS[one.problem]
            if asked.flipped:
                pair = (base.get(one.problem), one.reward)
                right &= pair == ((0, 1) if asked.flipped == "solved" else (1, 0))
            if right and asked.text in one.text and asked.finish in ("", one.finish):
                found.append((shard.iteration, one))
    return found


def as_made(samples: list[ScoredSample]) -> list[tuple[int, Made]]:
    return [
        (one.iteration, Made(one.problem.id, one.index, one.text, one.status, one.finish))
        for one in samples
    ]


@pytest.mark.slow
@settings(max_examples=40)
@given(shard_lists(), st.lists(FILTERS, min_size=8, max_size=8), st.integers(1, 5))
def test_a_filter_takes_what_a_pass_over_all_rows_takes(
    tmp_path_factory: pytest.TempPathFactory,
    shards: list[Shard],
    filters: list[SampleFilter],
    group: int,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESTEM_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("RESTEM_SYNC", "off")
        for module in (tasks.rows, flows.api.samples):
            patch.setattr(module, "ROW_GROUP", group)
        make_run(PROBLEMS, shards)
        reader = read_run(RUN).reader
        for asked in filters:
            if asked.flipped and asked.purpose in MANY:
                with pytest.raises(UserError, match="flipped: "):
                    reader.page(asked, 0, 1)
                continue
            expected = taken(asked, shards)
            assert as_made(list(reader.samples(asked))) == expected
            for first in (0, 1, 4):
                page = reader.page(asked, first, 3)
                assert page.total == len(expected)
                assert as_made(page.samples) == expected[first : first + 3]


@given(FILTERS)
def test_a_link_says_what_was_asked(asked: SampleFilter) -> None:
    from urllib.parse import parse_qsl

    if asked.flipped and asked.purpose in MANY:
        return
    assert SampleFilter.of(dict(parse_qsl(asked.query))) == asked


def test_a_command_is_one_that_a_shell_takes_apart() -> None:
    asked = SampleFilter("test", 1, flipped="lost", text="it's $HOME")
    words = "--purpose test --iteration 1 --flipped lost --text 'it'\"'\"'s $HOME'"
    assert asked.command("demo-1") == f"restem samples demo-1 {words}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"status": "right"}, "status: right: expected one of: correct, wrong_answer"),
        ({"flipped": "up", "purpose": "test"}, "flipped: up: expected solved or lost"),
        ({"flipped": "lost"}, "flipped: lost: samples for draw are several a problem"),
        ({"iteration": "-1"}, "iteration: -1: expected a whole number"),
        ({"iteration": "9" * 99}, "iteration: 9999"),
        ({"fate": "lost"}, "fate: lost: expected one of: kept, unfinished, duplicate, outside_"),
        ({"finish": "eos"}, "finish: eos: expected one of: stop, length, refused, error"),
        ({"fate": "kept", "purpose": "test"}, "fate: kept: only samples for draw"),
        ({"sort": "up"}, "sort: no such field; expected purpose, iteration"),
        ({"text": "\ud800"}, "text: expected a text in UTF-8"),
    ],
)
def test_a_mistake_is_one_line(given: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)) as caught:
        SampleFilter.of(given)
    assert "\n" not in str(caught.value)


def test_samples_that_are_gone_are_said(home: Path) -> None:
    make_run(PROBLEMS, [Shard("draw", 0, [Made("7", 0, "a", Status.CORRECT)])])
    (file,) = home.glob("store/samples/*/samples.parquet")
    file.write_bytes(b"x" + file.read_bytes()[1:])
    reader = read_run(RUN).reader
    assert reader.page(SampleFilter(status="wrong_answer"), 0, 9).total == 0  # verdicts are enough
    with pytest.raises(UserError, match="artifact samples/"):
        reader.page(SampleFilter(), 0, 9)
