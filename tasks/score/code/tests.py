"""Reads the tests of a program from JSON."""

from __future__ import annotations

from typing import Any

from sandbox.verdict import Test
from tasks.errors import UserError


def read_tests(tests: Any) -> tuple[str | None, tuple[Test, ...]]:
    """Entry point, if there is one, and tests.

    Raises:
        UserError: they have neither form, or there are none.
    """
    if isinstance(tests, list) and len(tests) == 1 and isinstance(tests[0], dict):
        tests = tests[0] if "entry_point" in tests[0] else tests
    if isinstance(tests, dict):
        entry, cases = tests.get("entry_point"), tests.get("cases")
        if not isinstance(entry, str) or not isinstance(cases, list) or not cases:
            raise UserError('"tests": expected "entry_point" and a list of "cases"')
        for case in cases:
            if not isinstance(case, dict) or not isinstance(case.get("args"), list):
                raise UserError('"tests": expected a list in "args" of each case')
            if "expected" not in case:
                raise UserError('"tests": expected "expected" in each case')
        return entry, tuple(Test(args=tuple(c["args"]), value=c["expected"]) for c in cases)
    if not isinstance(tests, list) or not tests:
        raise UserError('"tests": expected a list of {"input", "output"}, at least one')
    for test in tests:
        fields = (test.get("input"), test.get("output")) if isinstance(test, dict) else (None,)
        if not all(isinstance(field, str) for field in fields):
            raise UserError('"tests": expected texts in "input" and "output" of each test')
    return None, tuple(Test(test["input"], test["output"]) for test in tests)
