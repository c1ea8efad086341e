"""A programming problem of one's own: its statement, and tests in one of the usual forms.

- APPS: {"inputs": [...], "outputs": [...]}, with "fn_name" or an entry point where a function is
  called; the two lists in a column each; or a list of {"input", "output"}.
- asserts: a list of `assert f(1) == 2`, or a text of them (as in MBPP).
- {"judge": source, "inputs": [...]}: a Python program that talks to the solution.
- HumanEval: source of a function `check(candidate)`, with the entry point. Where the question is
  the head of that function, completions go on from there.

Each may be JSON or the text of it. Tests of public sets of contest problems are in contests.py, and
what a problem says of its limits, tolerance and checker in conditions.py.
"""

from __future__ import annotations

import ast
import contextlib
import json
import textwrap

from tasks.problems.apps import call_tests, statement, stream_tests
from tasks.problems.own.columns import IN_AND_OUT, Columns
from tasks.problems.own.conditions import conditions
from tasks.problems.own.contests import (
    CODECONTESTS,
    LIVECODEBENCH,
    contest_tests,
    function_name,
    python_solution,
)
from tasks.problems.own.judges import has_nodes, judge_of, language_beside
from tasks.problems.own.parts import Parts
from tasks.problems.own.values import MAX_NAME, MAX_QUESTION, see_text, text_of
from tasks.problems.source import Record
from tasks.rows import Json

# Characters; the largest tests of published problems.
_MAX_TESTS = 64 * 2**20
_FORMS = "inputs and outputs, a list of asserts, or source of check(candidate)"


def code_parts(record: Record, columns: Columns) -> Parts:
    """A statement with its tests, and a program that passes them where the row has one."""
    question = text_of(record, columns.name("question"), MAX_QUESTION)
    entry, starter = _entry(record, columns), ""
    if "starter_code" in columns:
        starter = text_of(record, columns.name("starter_code"), MAX_QUESTION, needed=False)
    field, value = columns.name("tests"), record.data.get(columns.name("tests"))
    if columns.form:
        reference = contest_tests(record, columns.form, columns.names["tests"], entry)
    else:
        reference = _own_reference(record, columns, field, value, entry, question)
    reference |= conditions(record, columns, reference)
    name = reference.get("entry_point", "")
    if name and has_nodes(starter):
        reference["signature"] = starter
    shown = question if "head" in reference else statement(question, starter, name)
    try:
        packed = json.dumps(reference)
    except (TypeError, ValueError, RecursionError):
        record.fail(columns.name("tests"), _FORMS)
    see_text(record, columns.name("tests"), packed, _MAX_TESTS)
    return Parts(shown, packed, _solution(record, columns))


def _entry(record: Record, columns: Columns) -> str:
    """The function that tests call, or ""."""
    if "entry_point" not in columns:
        return ""
    column = columns.name("entry_point")
    if columns.form is LIVECODEBENCH and column in LIVECODEBENCH.more["entry_point"]:
        return function_name(record, column)
    entry = text_of(record, column, MAX_NAME, needed=False)
    if entry and not entry.isidentifier():
        record.fail(column, "the name of a function")
    return entry


def _own_reference(
    record: Record, columns: Columns, field: str, value: object, entry: str, question: str
) -> Json:
    if len(names := columns.names["tests"]) > 1:
        if len(names) > 2:
            record.fail(field, "one column of tests, or one of inputs and one of outputs")
        both = (_read(record.data.get(name)) for name in names)
        value = dict(zip(IN_AND_OUT, both, strict=True))
    return _reference(record, field, value, entry, question)


def _read(value: object) -> object:
    """A list, which CSV has as JSON."""
    if isinstance(value, str):
        with contextlib.suppress(ValueError, RecursionError):
            return json.loads(value)
    return value


def _reference(record: Record, field: str, value: object, entry: str, question: str) -> Json:
    if isinstance(value, str):
        see_text(record, field, value, _MAX_TESTS)
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):  # then it is source, or nothing
            return _source(record, field, str(value), entry, question)
    if isinstance(value, dict):
        return _inputs(record, field, value, entry)
    if not isinstance(value, list) or not value:
        record.fail(field, f"{_FORMS}, at least one")
    if all(isinstance(one, str) for one in value):
        return _source(record, field, "\n".join(value), entry, question)
    if all(isinstance(one, dict) and {"input", "output"} <= one.keys() for one in value):
        given = {"inputs": [t["input"] for t in value], "outputs": [t["output"] for t in value]}
        return _inputs(record, field, given, entry)
    record.fail(field, _FORMS)


def _inputs(record: Record, field: str, value: Json, entry: str) -> Json:
    """Tests of the form of APPS, or a judge."""
    beside = language_beside(record, field, value)
    if "judge" in value:
        return {**judge_of(record, field, value), **beside}
    name = value.get("fn_name") or entry
    if not isinstance(name, str) or (name and not name.isidentifier()):
        record.fail(field, "the name of a function in 'fn_name'")
    inputs = value.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        record.fail(field, f"{_FORMS}, at least one")
    inside = _Inside(value, f"{record.place}: {record.column} {field!r}", record.line)
    try:
        return {**(call_tests(inside, name) if name else stream_tests(inside)), **beside}
    except RecursionError:
        record.fail(field, "lists in lists of no such depth")


class _Inside(Record):
    """The object in a column; its messages name that column first."""

    @property
    def place(self) -> str:
        return self.file


def _source(record: Record, field: str, source: str, entry: str, question: str) -> Json:
    """Tests that are Python."""
    try:
        tree = ast.parse(textwrap.dedent(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        record.fail(field, _FORMS)
    checks = [one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == "check"]
    if checks:
        if not entry:
            record.fail(field, "an entry point beside check(candidate), in a column of its own")
        found: Json = {"entry_point": entry, "check": source}
        return {**found, "head": question} if f"def {entry}(" in question else found
    asserts = [one for one in tree.body if isinstance(one, ast.Assert)]
    name = entry or next(filter(None, map(_called, asserts)), "")
    if not asserts or not name:
        record.fail(field, _FORMS)
    body = [ast.parse(f"{name} = candidate").body[0], *tree.body]
    lines = textwrap.indent(ast.unparse(ast.Module(body, [])), "    ")
    return {"entry_point": name, "check": f"def check(candidate):\n{lines}\n"}


def _called(test: ast.Assert) -> str:
    """The first function that an assert calls by its own name and that is not Python's."""
    import builtins

    calls = (node for node in ast.walk(test) if isinstance(node, ast.Call))
    names = (call.func.id for call in calls if isinstance(call.func, ast.Name))
    return next((name for name in names if not hasattr(builtins, name)), "")


def _solution(record: Record, columns: Columns) -> str:
    """A program, or the first of several, without blank lines around it."""
    if "solution" not in columns:
        return ""
    field = columns.name("solution")
    value = record.data.get(field)
    if columns.form is CODECONTESTS:
        value = python_solution(record, field)
    if isinstance(value, str) and value.lstrip().startswith("["):
        with contextlib.suppress(ValueError, RecursionError):  # a program may begin so
            value = json.loads(value)
    if isinstance(value, list):
        value = value[0] if value else None
    if value is None:
        return ""
    if not isinstance(value, str):
        record.fail(field, "a program, or a list of them")
    # The body of a function begins with blanks.
    return see_text(record, field, value.lstrip("\r\n").rstrip(), MAX_QUESTION)
