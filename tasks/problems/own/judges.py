"""What tests of one's own problems may say beside inputs and outputs: judge, language, nodes."""

from __future__ import annotations

import ast
import re

from tasks.problems.source import Record
from tasks.rows import Json

_NODES = re.compile(r"\b(?:ListNode|TreeNode)\b")


def has_nodes(starter: str) -> bool:
    """Whether a starter code says that its function takes or returns linked lists or trees."""
    return bool(_NODES.search(starter))


def language_beside(record: Record, field: str, value: Json) -> Json:
    """What programs are to be written in, where the tests say so."""
    named = value.get("language")
    if named is None:
        return {}
    if named not in ("python", "cpp"):
        record.fail(field, "python or cpp in 'language'")
    return {"language": named}


def judge_of(record: Record, field: str, value: Json) -> Json:
    """The judge of an interactive problem, and what it is told in each test."""
    source, inputs = value["judge"], value.get("inputs")
    if not isinstance(source, str):
        record.fail(field, "source of a Python program in 'judge'")
    try:
        ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        record.fail(field, "source of a Python program in 'judge'")
    if not isinstance(inputs, list) or not inputs:
        record.fail(field, "a list of texts in 'inputs', what the judge is told in each test")
    if not all(isinstance(one, str) for one in inputs):
        record.fail(field, "texts in 'inputs', what the judge is told in each test")
    return {"judge": source, "inputs": inputs}
