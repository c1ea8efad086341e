"""`gsm8k`: grade-school word problems (Cobbe et al., arXiv 2110.14168), 7,473 train and 1,319 test.

Fields read: question, answer (a worked solution that ends in `#### NUMBER`); optional id, split.
The set has no levels of difficulty. Solutions are given without the notes `<<48/2=24>>` that the
authors put in for a calculator: no person writes them, and no policy has the calculator.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from tasks.problems.source import Origin, problem_row
from tasks.rows import Row

_ORIGIN = Origin(
    name="gsm8k",
    hub="openai/gsm8k",
    configs=("main",),
    files=("gsm8k_{split}", "gsm8k", "{split}"),
)
ANSWER_MARK = "####"
_CALCULATOR = re.compile(r"<<[^<>]*>>")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the problem rows of `train` or `test`; raises like `loading.load_split`."""
    for index, (_, record) in enumerate(_ORIGIN.numbered(split, source)):
        solution = record.text("answer")
        _, mark, final = solution.rpartition(ANSWER_MARK)
        # `1,060` and `1060` are one number; the reference has the plain form.
        reference = final.replace(",", "").strip()
        if not mark or not _NUMBER.fullmatch(reference):
            record.fail("answer", f"a solution that ends in '{ANSWER_MARK} NUMBER'")
        own = record.optional("id").removeprefix(f"{split}/") or str(index)
        yield problem_row(
            *(_ORIGIN.name, split, own, "math"),
            question=record.text("question"),
            reference=reference,
            solution=_plain(solution),
        )


def _plain(solution: str) -> str:
    """A solution without notes for a calculator and without blank lines, which end an answer."""
    lines = _CALCULATOR.sub("", solution).splitlines()
    return "\n".join(line for line in lines if line.strip())
