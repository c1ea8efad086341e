"""`apps`: programming problems (Hendrycks et al., arXiv 2105.09938), 5,000 train and 5,000 test.

Read from the original folder layout (train/NNNN/question.txt, input_output.json, solutions.json,
metadata.json, starter_code.py), JSON lines, or the Hub. Fields: question, difficulty; the tests as
input_output (JSON text or an object with inputs, outputs and for call-based problems fn_name) or as
the fields inputs, outputs and fn_name themselves; optional solutions, starter_code, problem_id or
id, split. The level of a problem is its difficulty, by which data.difficulty chooses.

Some published problems have no test at all, and one has a number of more digits than Python reads.
Nothing can be checked against either, so such rows are left out, and counted.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

from tasks.problems.source import Origin, Record, of_split, parse_object, problem_row
from tasks.rows import Json, Row

APPS_ORIGIN = Origin(
    name="apps",
    hub="codeparrot/apps",
    configs=(),
    files=("apps_{split}", "apps", "apps_{split}_subset", "{split}"),
    layout="APPS/{split}/NNNN/question.txt",
    hub_file="{split}.jsonl",
)
DIFFICULTIES = ("introductory", "interview", "competition")
_TESTS = "an object with the lists 'inputs' and 'outputs' of one length"


NO_TESTS, LONG_NUMBER = "no tests", "a number of more digits than Python reads"


def load_split(
    split: str, *, source: str = "", left_out: Counter[tuple[str, str]] | None = None
) -> Iterator[Row]:
    """Yield the problem rows of `train` or `test`; all arguments are those of `loading`'s."""
    for index, record in of_split(_records(split, source), split):
        level = record.optional("difficulty")
        if level and level not in DIFFICULTIES:
            record.fail("difficulty", f"one of {', '.join(DIFFICULTIES)}")
        tests = _tests(record)
        if isinstance(tests, str) or not tests.data.get("inputs"):
            if left_out is not None:
                left_out[level, tests if isinstance(tests, str) else NO_TESTS] += 1
            continue
        name = tests.optional("fn_name")
        reference = call_tests(tests, name) if name else stream_tests(tests)
        yield problem_row(
            *(APPS_ORIGIN.name, split, _id(record, split, index), "code"),
            question=_question(record, name),
            reference=json.dumps(reference),
            solution=_solution(record),
            level=level,
            subject="call" if name else "input",
        )


def _tests(record: Record) -> Record | str:
    """The record that has `inputs` and `outputs`, or why there are none to be read."""
    if "inputs" in record.data:
        return record
    given = record.data.get("input_output")
    if given is None or given in ("", "{}"):
        return NO_TESTS
    if isinstance(given, dict):
        return Record(given, record.file, record.line)
    raw = given.read_bytes() if isinstance(given, Path) else given
    try:
        data = json.loads(raw)
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError):
        if isinstance(given, Path):
            return parse_object(given.read_bytes(), str(given), 1)  # raises, naming the line
        record.fail("input_output", "JSON text")
    except ValueError:  # of json, only for want of digits
        return LONG_NUMBER
    file = str(given) if isinstance(given, Path) else record.file
    if not isinstance(data, dict):
        Record({"input_output": data}, file, record.line).fail("input_output", _TESTS)
    return Record(data, file, record.line)


def _pairs(tests: Record) -> tuple[list[object], list[object]]:
    inputs, outputs = tests.data["inputs"], tests.data.get("outputs")
    if not isinstance(inputs, list):
        tests.fail("inputs", "a list")
    if not isinstance(outputs, list) or len(outputs) != len(inputs):
        tests.fail("outputs", f"a list of {len(inputs)}, as there are so many inputs")
    return inputs, outputs


def stream_tests(tests: Record) -> Json:
    """Tests by standard input and output, of a record with `inputs` and `outputs`."""
    inputs, outputs = _pairs(tests)
    return {
        "tests": [
            {"input": _lines(tests, "inputs", given), "output": _lines(tests, "outputs", expected)}
            for given, expected in zip(inputs, outputs, strict=True)
        ]
    }


def _lines(tests: Record, field: str, value: object) -> str:
    """A text, which some rows have as a list of its lines."""
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        return "\n".join(value)
    if not isinstance(value, str):
        tests.fail(field, "a list of texts, or of lists of lines")
    return value


def call_tests(tests: Record, name: str) -> Json:
    """Tests by calling a function, of a record with `inputs` and `outputs`."""
    inputs, outputs = _pairs(tests)
    if not all(isinstance(arguments, list) for arguments in inputs):
        tests.fail("inputs", "a list of lists of arguments")
    cases = [
        {"args": arguments, "expected": expected}
        for arguments, expected in zip(inputs, _unwrapped(outputs), strict=True)
    ]
    return {"entry_point": name, "cases": cases}


def _unwrapped(outputs: list[object]) -> list[object]:
    """The results of calls, which most rows have each in a list of one.

    Some rows have them bare. Where only some are in a list of one, it is taken off those whose
    content is nested as deep as the bare ones are: beside 5, [6] is 6; beside [1, 2], [6] is [6].
    """
    deep = max((_depth(one) for one in outputs if not _single(one)), default=0)
    return [one[0] if _single(one) and _depth(one[0]) >= deep else one for one in outputs]


def _single(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list) and len(value) == 1


def _depth(value: object) -> int:
    """Lists within lists."""
    return 1 + max(map(_depth, value), default=0) if isinstance(value, list) else 0


def _question(record: Record, name: str) -> str:
    return statement(record.text("question"), record.optional("starter_code"), name)


def statement(question: str, starter: str, name: str) -> str:
    """The text, and after it the function to write where there is one.

    Args:
        question: What the data set says.
        starter: Code to begin with, or "".
        name: Of the function that tests call, or "".
    """
    if starter:
        return f"{question}\n\nComplete this code:\n{starter}"
    return f"{question}\n\nWrite the function {name}." if name else question


def _solution(record: Record) -> str:
    """The first of the solutions, without blank lines around it, or nothing."""
    given = record.data.get("solutions")
    if isinstance(given, str) and given.strip():
        try:
            given = json.loads(given)
        except ValueError:
            record.fail("solutions", "a list of texts, or JSON text of one")
    if not given:
        return ""
    if not isinstance(given, list) or not isinstance(given[0], str):
        record.fail("solutions", "a list of texts, or JSON text of one")
    return given[0].lstrip("\r\n").rstrip()


def _id(record: Record, split: str, index: int) -> str:
    """`0012`, as the folders are named."""
    own = record.data.get("problem_id", record.data.get("id"))
    if isinstance(own, int) and not isinstance(own, bool):
        return f"{own:04d}"
    own = record.optional("problem_id", "id").removeprefix(f"{split}/")
    return own or f"row-{index + 1}"


def _records(split: str, source: str) -> Iterator[Record]:
    folder = _layout(split, source)
    if folder is None:
        yield from APPS_ORIGIN.records(split, source)
        return
    for file in sorted(folder.glob("*/question.txt")):
        place = file.parent
        data: Json = {"problem_id": place.name, "question": _read(file)}
        if (place / "metadata.json").is_file():
            path = place / "metadata.json"
            data["difficulty"] = parse_object(path.read_bytes(), str(path), 1).optional(
                "difficulty"
            )
        if (place / "input_output.json").is_file():
            data["input_output"] = place / "input_output.json"
        for name, field in (("solutions.json", "solutions"), ("starter_code.py", "starter_code")):
            if (place / name).is_file():
                data[field] = _read(place / name)
        yield Record(data, str(place), 1)


def _layout(split: str, source: str) -> Path | None:
    """The folder of a split in the original layout, where the source has one."""
    place = source or os.environ.get("RESTEM_DATA", "")
    if not place:
        return None
    root = Path(place).expanduser()
    # RESTEM_DATA holds many data sets, so only its folder APPS is taken for this one. A source may
    # also be the folder of the split itself.
    folders = [root / "APPS" / split]
    if source:
        folders += [root / split, *([root] if root.name == split else [])]
    return next((one for one in folders if any(one.glob("*/question.txt"))), None)


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
