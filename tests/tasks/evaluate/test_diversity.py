"""Right paths and the entropy of answers, against counting by hand."""

import math

from hypothesis import given
from hypothesis import strategies as st

from tasks.evaluate.diversity import diversity, entropy, right_paths


def row(name, index, text, right):
    status = "correct" if right else "wrong_answer"
    return {"problem_id": name, "index": index, "text": text, "status": status}


def test_two_wordings_of_one_sum_are_one_path_and_another_order_is_another():
    assert right_paths(["2 + 3 = 5, so 5", "Adding, 2+3=5.", "3 + 2 = 5", "five", " five "]) == 3


def test_figures_of_a_small_set_by_hand():
    rows = [
        row("a", 0, "1+1=2", True),
        row("a", 1, "1 + 1 = 2!", True),
        row("a", 2, "no", False),
        row("a", 3, "2*1=2", True),
        row("b", 0, "x", False),
        row("b", 1, "y", False),
    ]
    groups = {("a", 0): 0, ("a", 1): 0, ("a", 2): 2, ("a", 3): 0, ("b", 0): 0, ("b", 1): -1}
    found = diversity(rows, groups, 200, 0.95, 0)
    assert found.paths and found.right and found.entropy
    # Of the one problem that is solved: two ways among three right samples.
    assert (found.paths.value, found.right.value, found.paths.problems) == (2.0, 3.0, 1)
    bits = -(0.75 * math.log2(0.75) + 0.25 * math.log2(0.25))
    assert math.isclose(found.entropy.value, (bits + 0.0) / 2) and found.entropy.problems == 2
    assert diversity(rows, None, 200, 0.95, 0).entropy is None


@given(st.lists(st.integers(-1, 5), max_size=20))
def test_entropy_lies_between_nothing_and_its_largest_value(groups):
    voted = [group for group in groups if group >= 0]
    bits = entropy(groups)
    assert -1e-12 <= bits <= math.log2(max(1, len(set(voted)))) + 1e-12
    assert math.isclose(entropy(groups * 3), bits, abs_tol=1e-12)


def test_nothing_solved_and_nothing_answered_is_no_figure():
    found = diversity([row("a", 0, "x", False)], {("a", 0): -1}, 200, 0.95, 0)
    assert found.paths is None and found.entropy is not None and found.entropy.value == 0.0
