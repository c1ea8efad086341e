"""The comparison alone, without containers: order and number count, floats only where expected."""

from __future__ import annotations

import json

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
        ("\na b", "a b", False),
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
        ("3.0", 3, False),
        ("3", 3.0, True),
        ("true", 1, False),
        ("1", True, False),
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
