"""Reads the tests of a program from JSON."""

from __future__ import annotations

from sandbox.verdict import Test
from tasks.errors import UserError
from tasks.facts import is_list, is_object


def read_tests(tests: object) -> tuple[str | None, tuple[Test, ...]]:
    """Entry point, if there is one, and tests.

    Raises:
        UserError: they have neither form, or there are none.
    """
    if is_list(tests) and len(tests) == 1 and is_object(tests[0]) and "entry_point" in tests[0]:
        tests = tests[0]
    if is_object(tests):
        return _calls(tests.get("entry_point"), tests.get("cases"))
    if not is_list(tests) or not tests:
        raise UserError('"tests": expected a list of {"input", "output"}, at least one')
    return None, tuple(map(_program, tests))


def read_in_place(tests: object) -> int | None:
    """Number of the argument that holds the result of a call; None where its value is it.

    Raises:
        UserError: it is no number of an argument of every case.
    """
    if is_list(tests) and len(tests) == 1:
        tests = tests[0]
    if not is_object(tests) or (place := tests.get("in_place")) is None:
        return None
    _, cases = read_tests(tests)
    counts = [len(case.args or ()) for case in cases]
    if isinstance(place, bool) or not isinstance(place, int) or not 0 <= place < min(counts):
        raise UserError('"tests": expected the number of an argument in "in_place"')
    return place


def _calls(entry: object, cases: object) -> tuple[str, tuple[Test, ...]]:
    if not isinstance(entry, str) or not is_list(cases) or not cases:
        raise UserError('"tests": expected "entry_point" and a list of "cases"')
    return entry, tuple(map(_call, cases))


def _call(case: object) -> Test:
    if not is_object(case) or not is_list(arguments := case.get("args")):
        raise UserError('"tests": expected a list in "args" of each case')
    if "expected" not in case:
        raise UserError('"tests": expected "expected" in each case')
    return Test(args=tuple(arguments), value=case["expected"])


def _program(test: object) -> Test:
    if is_object(test):
        given, wanted = test.get("input"), test.get("output")
        if isinstance(given, str) and isinstance(wanted, str):
            return Test(given, wanted)
    raise UserError('"tests": expected texts in "input" and "output" of each test')
