"""`humaneval`: 164 functions to complete (Chen et al., arXiv 2107.03374). Evaluation only.

Fields read: task_id, prompt (the head of a function with its docstring), entry_point, test (source
of a function `check(candidate)` that asserts), optional canonical_solution. There is no training
split, and the problems must not be trained on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from tasks.problems.source import Origin, Record, problem_row, refuse_training
from tasks.rows import Row

_ORIGIN = Origin(
    name="humaneval",
    hub="openai/openai_humaneval",
    configs=(),
    files=("humaneval_{split}", "humaneval", "HumanEval", "{split}"),
)


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the problem rows of `test`; raises like `loading.load_split`."""
    refuse_training(_ORIGIN.name, split, "apps")
    return (_row(index, record) for index, record in _ORIGIN.numbered(split, source))


def _row(index: int, record: Record) -> Row:
    prompt, name, check = record.text("prompt"), record.text("entry_point"), record.text("test")
    if not name.isidentifier() or f"def {name}(" not in prompt:
        record.fail("entry_point", "the name of a function that the prompt begins")
    if "def check(" not in check:
        record.fail("test", "source of a function check(candidate)")
    own = record.optional("task_id").removeprefix("HumanEval/") or str(index)
    body = record.data.get("canonical_solution")
    if body is not None and not isinstance(body, str):
        record.fail("canonical_solution", "text")
    return problem_row(
        *(_ORIGIN.name, "test", own, "code"),
        question=prompt,
        # The head belongs to every program, and checks use the helpers in it.
        reference=json.dumps({"entry_point": name, "check": check, "head": prompt}),
        # Its indentation is that of a function's body, so it is not stripped.
        solution=body or "",
    )
