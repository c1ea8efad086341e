"""The comparison alone, without containers: order and number count, floats only where expected."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from sandbox.verdict import same_output, same_token, same_value


@pytest.mark.parametrize(
    ("got", "expected", "same"),
    [
        ("1", "1", True),
        ("1.0", "1", False),
        ("1", "1.0", True),
        ("0.3333333", "0.33333333", True),
        ("0.3334", "0.33333333", False),
        ("100001", "100000", False),
        ("1e3", "1000.0", True),
        ("nan", "0.5", False),
        ("YES", "yes", False),
        ("inf", "1e5", False),
    ],
)
def test_tokens(got: str, expected: str, same: bool):
    assert same_token(got, expected) is same


@pytest.mark.parametrize(
    ("got", "expected", "same"),
    [
        ("a b\n", "a b", True),
        ("a  b \r\n\r\n", "a b", True),
        ("\na b", "a b", True),
        ("\n\n a\nb", "a\nb", True),
        ("a b", "\na b", False),
        ("\n\na b", "\na b", False),
        ("\n", "a", False),
        ("\n", "", True),
        ("a\rb", "a b", False),
        ("a\n\nb", "a\nb", False),
        ("1\n" * 50000 + "2", "1 \n" * 50000 + "2.0\n", True),
        ("1\n" * 50000 + "2", "1 \n" * 50000 + "3.0\n", False),
        ("a\nb", "a b", False),
        ("a b\nc", "a b", False),
        ("a", "a b", False),
        ("", "", True),
        ("a b a", "a a b", False),
    ],
)
def test_outputs(got: str, expected: str, same: bool):
    assert same_output(got, expected) is same


@pytest.mark.parametrize(
    ("text", "expected", "same"),
    [
        ("3", 3, True),
        ("3.0", 3, True),
        ("3", 3.0, True),
        ("true", 1, True),
        ("1", True, True),
        ("3.0000001", 3, False),
        ("0", None, False),
        ("[]", False, False),
        ("9007199254740993", 9007199254740992.0, True),
        ("1" + "0" * 400, 0.5, False),
        ("1" + "0" * 5000, 7, False),
        ("[1, 2]", (1, 2), True),
        ("[2, 1]", [1, 2], False),
        ("[1, 2, 3]", [1, 2], False),
        ('{"1": "a"}', {1: "a"}, True),
        ('{"1": "a", "2": "b"}', {1: "a"}, False),
        ("null", None, True),
        ("null", 0, False),
        ('"3"', 3, False),
        ("NaN", float("nan"), True),
        ("0.30000000000000004", 0.3, True),
        ("", None, False),
        ("3 4", 3, False),
        ("[" * 100000, [], False),
    ],
)
def test_values(text: str, expected: object, same: bool):
    assert same_value(text, expected) is same


def test_a_value_equals_itself_after_the_crossing():
    value = {"a": [1, 2.5, None, True, "x"], "b": {}}
    assert same_value(json.dumps(value), value)


@pytest.mark.slow
def test_comparing_many_lines_takes_little_memory():
    many = "1\n" * 1_000_000
    tracemalloc.start()
    try:
        assert same_output(many, many.replace("\n", " \n"))
        assert tracemalloc.get_traced_memory()[1] < 6 * len(many)
    finally:
        tracemalloc.stop()
