"""The table of arms against one: Holm's rule and the t-test by hand, and what the table says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.study.comparison import comparison_table, differences
from flows.study.design import Comparison
from flows.study.named.methods import STUDY
from flows.study.results import Results, StudyPolicy
from tasks.evaluate.intervals import Interval
from tasks.evaluate.over_seeds import holm, p_of_mean


def test_holm_by_hand() -> None:
    # Sorted: 0.01 x 4, then 0.02 x 3, 0.03 x 2, 0.5 x 1, never below the one before.
    assert holm([0.03, 0.01, 0.5, 0.02]) == pytest.approx([0.06, 0.04, 0.5, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_each_p_and_bonferronis(values: list[float]) -> None:
    adjusted = holm(values)
    for p, one in zip(values, adjusted, strict=True):
        assert p <= one <= min(1.0, len(values) * p) or one == pytest.approx(p)
    order = sorted(range(len(values)), key=values.__getitem__)
    assert [adjusted[at] for at in order] == sorted(adjusted)


def test_p_is_that_of_tables_of_students_t() -> None:
    # Five values with mean 1 and t = 2.776 (0.025 of each tail, 4 degrees of freedom).
    half = 1 / 2.776 * 5**0.5
    values = [1 - half, 1 + half, 1, 1 - half, 1 + half]
    assert p_of_mean(values) == pytest.approx(0.05, abs=1e-3)
    assert p_of_mean([1.0]) == 1.0
    assert p_of_mean([0.0, 0.0]) == 1.0


def policy(greedy: float) -> StudyPolicy:
    return StudyPolicy(0, "m", {"greedy": Interval(greedy, greedy, greedy, 10)})


def test_arms_are_held_against_the_same_seed() -> None:
    runs = {
        ("EM", 1): [policy(0.5)],
        ("EM", 2): [policy(0.7)],
        ("other", 1): [policy(0.6)],
        ("other", 2): [policy(0.8)],
    }
    comparison = Comparison("EM", ("other", "never run"), {"greedy": "greedy"})
    found = differences(comparison, Results(runs, (1, 2)))
    assert found["other", "greedy"].mean.value == pytest.approx(0.1)
    assert ("never run", "greedy") not in found
    table = comparison_table(comparison, Results(runs, (1, 2)))
    assert table.rows[0][1].startswith("60.0 [")
    assert table.rows[1][1].startswith("+10.0 [") and table.rows[2][1] == "–"


def test_the_study_of_methods_compares_all_of_its_arms_on_math() -> None:
    comparison = STUDY.comparison
    assert comparison is not None
    from flows.config.rest_em import load_config
    from flows.study.design import Bases

    math = load_config("study-math")
    code = load_config("study-code")
    notes = load_config("study-notes")
    arms = STUDY.arms(Bases(math=math, code=code, notes=notes, student=""))
    names = [arm.name for arm in arms if arm.task == "math"]
    assert [comparison.against, *comparison.arms] == names
    for arm in arms:
        base = math if arm.task == "math" else code
        changes = [f"{name}={_toml(value)}" for name, value in arm.changes.items()]
        load_config("study-math" if base is math else "study-code", changes)


def _toml(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(_toml(one) for one in value)}]"
    return str(value)
