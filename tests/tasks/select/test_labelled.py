"""Rows of wrong samples, and human solutions over samples, against plain versions."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tasks.rows import SAMPLE, VERDICT, write_rows
from tasks.select.human_pairs import human_pairs
from tasks.select.labelled import labelled
from tasks.settings import FilterSettings
from tests.tasks.select.test_select import OFF, problem

OFTEN = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Each sample: whether it is right, whether it is finished, and one of few texts.
DRAWN = st.dictionaries(
    st.sampled_from("abc"),
    st.lists(st.tuples(st.booleans(), st.booleans(), st.sampled_from("xyz")), max_size=7),
    min_size=1,
)


def shard(folder, found):
    rows = [
        {
            **{"problem_id": name, "index": index, "text": f"{right} {text}"},
            **{"finish": "stop" if finished else "length", "reward": float(right)},
            "status": "correct" if right else "wrong_answer",
        }
        for name, samples in found.items()
        for index, (right, finished, text) in enumerate(samples)
    ]
    if not rows:
        return []
    paths = folder / "samples", folder / "verdicts"
    rest = {"seed": 0, "tokens": 1, "model": "m", "prompt": "p"}
    write_rows(paths[0], SAMPLE, ({**rest, **row} for row in rows))
    verdict = {"extracted": "", "first_failure": -1}
    write_rows(paths[1], VERDICT, ({**verdict, **row} for row in rows))
    return [(str(paths[0]), str(paths[1]), "key")]


def problems_of(found, **solutions):
    return [{**problem(name), "solution": solutions.get(name, "")} for name in sorted(found)]


@OFTEN
@given(DRAWN, st.integers(0, 3))
def test_right_and_wrong_rows_are_what_a_plain_version_keeps(tmp_path, found, cap):
    rules = FilterSettings(
        **{**OFF, "cap": cap, "dedup": "exact", "finished_only": True}, wrong_weight=0.25
    )
    rows, counts = labelled(shard(tmp_path, found), problems_of(found), rules, 0, lambda p: p["id"])
    rows = list(rows)
    for name, samples in found.items():
        for label in (True, False):
            texts = {text for right, finished, text in samples if right is label and finished}
            kept = [row for row in rows if row["problem_id"] == name and row["label"] is label]
            assert len(kept) == (min(cap, len(texts)) if cap else len(texts))
            assert {row["completion"] for row in kept} <= {f"{label} {text}" for text in texts}
            assert {row["weight"] for row in kept} <= {1.0 if label else 0.25}
    assert counts.wrong == sum(not row["label"] for row in rows)
    assert [row["problem_id"] for row in rows] == sorted(row["problem_id"] for row in rows)


@OFTEN
@given(DRAWN, st.integers(0, 3))
def test_pairs_of_human_solutions_are_what_a_plain_version_makes(tmp_path, found, cap):
    rules = FilterSettings(**{**OFF, "cap": cap, "dedup": "exact"})
    # The solution of `a` is one of the samples' texts; `c` has none.
    known = problems_of(found, a="True x", b="by hand")
    rows, counts = human_pairs(shard(tmp_path, found), known, rules, 0, lambda p: p["id"])
    rows = list(rows)
    made = Counter(row["problem_id"] for row in rows)
    for name, samples in found.items():
        texts = {f"{right} {text}" for right, finished, text in samples if finished} - {"True x"}
        if name == "b":
            texts |= {"True x"} & {f"{right} {text}" for right, done, text in samples if done}
        wanted = 0 if name == "c" else min(cap or len(texts), len(texts))
        assert made[name] == wanted
    assert all(
        row["completion"] == {"a": "True x", "b": "by hand"}[row["problem_id"]] for row in rows
    )
    assert all(row["rejected"] != row["completion"] for row in rows)
    dropped = (
        counts.dropped_unfinished,
        counts.dropped_duplicate,
        counts.dropped_cap,
        counts.dropped_contaminated,
    )
    assert counts.samples == sum(dropped) + counts.kept and counts.kept == counts.pairs == len(rows)


def test_a_problem_that_nobody_solved_gives_wrong_rows_too(tmp_path):
    found = {"a": [(False, True, "x"), (False, True, "y")]}
    rules = FilterSettings(**OFF, wrong_weight=0.5)
    rows = list(labelled(shard(tmp_path, found), problems_of(found), rules, 0, lambda p: "q")[0])
    assert [(row["index"], row["label"]) for row in rows] == [(0, False), (1, False)]
