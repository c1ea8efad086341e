"""Rows of choices and of programs that are wrong, each in one way (see malformed_files.py)."""

from __future__ import annotations

from tests.tasks.problems.malformed_files import HEAD, Wrong

CHOICE = {"domain": "choice"}
CODE = {"domain": "code"}


def choice(options: bytes, answer: bytes) -> bytes:
    return b'{"question": "a", "options": ' + options + b', "answer": ' + answer + b"}\n"


def code(tests: bytes, more: bytes = b"") -> bytes:
    return b'{"question": "a", "tests": ' + tests + more + b"}\n"


WRONG: dict[str, Wrong] = {
    # Choices.
    "an option too few": Wrong(
        "a.jsonl",
        choice(b'["x"]', b'"A"'),
        "{file} line 1: field 'options': expected a list of 2 to 10 texts, not [\"x\"]",
        CHOICE,
    ),
    "options that are equal": Wrong(
        "a.jsonl",
        choice(b'["x", "x"]', b'"A"'),
        "{file} line 1: field 'options': expected options that differ, not",
        CHOICE,
    ),
    "options that are no list": Wrong(
        "a.jsonl",
        choice(b'"x or y"', b'"A"'),
        "{file} line 1: field 'options': expected a list of 2 to 10 texts, or JSON text of one",
        CHOICE,
    ),
    "a letter too far": Wrong(
        "a.jsonl",
        choice(b'["x", "y"]', b'"C"'),
        "{file} line 1: field 'answer': expected a letter up to B, an option's text, or its number",
        CHOICE,
    ),
    "an answer that is two options": Wrong(
        "a.jsonl",
        choice(b'["1", "2", "7"]', b"1"),
        "{file} line 1: field 'answer': expected a letter, where the answer could mean several",
        CHOICE,
    ),
    "two letters": Wrong(
        "a.csv",
        HEAD + b"a,A or B\n",
        "{file} row 2: column 'answer': expected a letter from A to J, not \"A or B\"",
        CHOICE,
    ),
    # Programs.
    "no tests": Wrong(
        "a.jsonl",
        code(b"[]"),
        "{file} line 1: field 'tests': expected inputs and outputs, a list of asserts",
        CODE,
    ),
    "tests that are prose": Wrong(
        "a.jsonl",
        code(b'"it must work"'),
        "{file} line 1: field 'tests': expected inputs and outputs, a list of asserts",
        CODE,
    ),
    "more inputs than outputs": Wrong(
        "a.jsonl",
        code(b'{"inputs": ["1\\n", "2\\n"], "outputs": ["1\\n"]}'),
        "{file} line 1: field 'tests': field 'outputs': expected a list of 2, as there are so many",
        CODE,
    ),
    "an input that is a number": Wrong(
        "a.jsonl",
        code(b'{"inputs": [1], "outputs": ["1"]}'),
        "{file} line 1: field 'tests': field 'inputs': expected a list of texts, or of lists of",
        CODE,
    ),
    "a check without an entry point": Wrong(
        "a.jsonl",
        code(b'"def check(candidate): assert candidate(1)"'),
        "{file} line 1: field 'tests': expected an entry point beside check(candidate)",
        CODE,
    ),
    "an entry point that is no name": Wrong(
        "a.jsonl",
        code(b'["assert f(1)"]', b', "entry_point": "a b"'),
        "{file} line 1: field 'entry_point': expected the name of a function, not \"a b\"",
        CODE,
    ),
    "a solution that is a number": Wrong(
        "a.jsonl",
        code(b'["assert f(1)"]', b', "solution": 5'),
        "{file} line 1: field 'solution': expected a program, or a list of them, not 5",
        CODE,
    ),
}
