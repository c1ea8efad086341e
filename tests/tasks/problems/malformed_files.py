"""Files that are wrong, each in one way, with the one line that is said of it.

`{file}` stands for the path. Rows are of math unless `settings` say otherwise.
"""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True)
class Wrong:
    """A file: its name, its bytes, settings beside train and source, and what is said."""

    name: str
    content: bytes
    said: str
    settings: dict[str, Any] = field(default_factory=dict)


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


HEAD = b"question,answer\n"
GOOD = b'{"question": "a", "answer": 1}\n'

WRONG: dict[str, Wrong] = {
    # What cannot be read.
    "another kind": Wrong("a.txt", b"a", "data.source: {file}: expected a file that ends in"),
    "empty csv": Wrong("a.csv", b"", "{file}: expected a header with the names"),
    "blank csv": Wrong("a.csv", b"\n \n", "{file}: expected a header with the names"),
    "header alone": Wrong("a.csv", HEAD, "data.source: {file}: expected training problems"),
    "empty jsonl": Wrong("a.jsonl", b"", "data.source: {file}: expected training problems"),
    "empty json": Wrong("a.json", b"[]", "data.source: {file}: expected training problems"),
    "not utf-8": Wrong(
        "a.csv",
        HEAD + b"caf\xe9,1\n",
        "{file} line 2: expected UTF-8 text, not the byte 0xe9 at column 4",
    ),
    "utf-16": Wrong(
        "a.jsonl",
        GOOD.decode().encode("utf-16"),
        "{file} line 1: expected UTF-8 text, not",
    ),
    "latin-1 json": Wrong(
        "a.json",
        b'[{"question": "\xfc", "answer": 1}]',
        "{file}: expected UTF-8 text, not",
    ),
    "not gzip": Wrong("a.jsonl.gz", GOOD, "{file} line 1: cannot be read (Not a gzipped file"),
    "half of a gzip": Wrong(
        "a.csv.gz", gzip.compress(HEAD + b"a,1\n")[:-9], "{file} line 3: cannot be read (Compressed"
    ),
    "not parquet": Wrong("a.parquet", b"PAR1", "{file}: cannot be read as Parquet ("),
    "half of a parquet": Wrong(
        "a.parquet",
        parquet(question=["a"], answer=["1"])[:-20],
        "{file}: cannot be read as Parquet (",
    ),
    "not json": Wrong(
        "a.jsonl", GOOD + b"question\n", "{file} line 2: expected a JSON object (Expecting value"
    ),
    "json cut": Wrong("a.json", b'[{"question": "a",', "{file} line 1: expected a JSON array ("),
    "deep json": Wrong("a.jsonl", b"[" * 99_999, "{file} line 1: expected a JSON object ("),
    "a list in a line": Wrong(
        "a.jsonl", b"[1]\n", "{file} line 1: expected a JSON object, not [1]"
    ),
    "no object in an array": Wrong(
        "a.json",
        b"[" + GOOD + b", 5]",
        "{file} row 2: expected an object, not 5",
    ),
    "a field twice": Wrong(
        "a.jsonl",
        b'{"question": "a", "question": "b", "answer": 1}\n',
        '{file} line 1: expected each field once, not "question" twice',
    ),
    "a column twice": Wrong(
        "a.csv",
        b"question,answer,answer\na,1,2\n",
        '{file} row 1: expected each column once, not "answer" 2 times',
    ),
    "too many fields": Wrong(
        "a.csv", HEAD + b"b,2\na,1,2\n", "{file} row 3: expected 2 fields, as the header has, not 3"
    ),
    "too few fields": Wrong(
        "a.tsv",
        b"question\tanswer\na\n",
        "{file} row 2: expected 2 fields, as the header has,",
    ),
    "an open quote": Wrong(
        "a.csv", HEAD + b'a,1\n"b,2\nc,3\n', "{file} row 3: expected CSV whose quotes are closed"
    ),
    "a quote inside": Wrong(
        "a.csv", HEAD + b'"a" or "b",1\n', "{file} row 2: expected CSV whose quotes are closed"
    ),
    # Columns.
    "no question": Wrong(
        "a.csv",
        b"frage,answer\na,1\n",
        "data.columns.question: {file} has no column of a usual",
    ),
    "no answer": Wrong(
        "a.csv", b"question,antwort\na,1\n", "data.columns.reference: {file} has no column of a"
    ),
    "a name that is not there": Wrong(
        "a.csv",
        HEAD + b"a,1\n",
        "data.columns.reference: 'gold': {file} has 'question', 'answer'",
        {"columns": {"reference": "gold"}},
    ),
    "a column of another domain": Wrong(
        "a.csv",
        HEAD + b"a,1\n",
        "data.columns.tests: expected none, for problems of math have no tests",
        {"columns": {"tests": "answer"}},
    ),
    # Questions.
    "no text in a question": Wrong(
        "a.jsonl",
        GOOD + b'{"question": " ", "answer": 1}\n',
        "{file} line 2: field 'question': expected text that is not empty, not \" \"",
    ),
    "a question that is a list": Wrong(
        "a.jsonl",
        b'{"question": ["a"], "answer": 1}\n',
        "{file} line 1: field 'question': expected text, not [\"a\"]",
    ),
    "a question that is left out": Wrong(
        "a.jsonl",
        GOOD + b'{"answer": 1}\n',
        "{file} line 2: field 'question': expected text that is not empty, not nothing",
    ),
    "NUL in a question": Wrong(
        "a.csv",
        HEAD + b"a\0b,1\n",
        "{file} row 2: column 'question': expected text without NUL, which is at character 2",
    ),
    "half a character": Wrong(
        "a.jsonl",
        b'{"question": "a\\ud83d", "answer": 1}\n',
        "{file} line 1: field 'question': expected Unicode text, not a half of a pair at",
    ),
    "10 MB in a line": Wrong(
        "a.jsonl",
        GOOD + b'{"question": "' + b"b" * 10_485_760 + b'", "answer": 1}\n',
        "{file} line 2: field 'question': expected at most 1,000,000 characters, not 10,485,760",
    ),
    "the same question": Wrong(
        "a.csv",
        HEAD + b"How many?,1\nb,2\nHow  many?,3\n",
        "{file} row 4: column 'question': expected another question than that of {file} row 2",
    ),
    "the same id": Wrong(
        "a.csv",
        b"id,question,answer\n7,a,1\n7,b,2\n",
        "{file} row 3: column 'id': expected another id than that of {file} row 2",
    ),
    "no id": Wrong(
        "a.csv",
        b"id,question,answer\n,a,1\n",
        "{file} row 2: column 'id': expected text that is not empty, not \"\"",
    ),
    # Answers.
    "no text in an answer": Wrong(
        "a.csv", HEAD + b"a,\n", "{file} row 2: column 'answer': expected an answer, not \"\""
    ),
    "null": Wrong(
        "a.jsonl",
        b'{"question": "a", "answer": null}\n',
        "{file} line 1: field 'answer': expected an answer, not null",
    ),
    "null in parquet": Wrong(
        "a.parquet",
        parquet(question=["a", "b"], answer=[1, None]),
        "{file} row 2: column 'answer': expected an answer, not null",
    ),
    "NaN": Wrong(
        "a.jsonl",
        b'{"question": "a", "answer": NaN}\n',
        "{file} line 1: field 'answer': expected a finite number or a text, not NaN",
    ),
    "NaN in parquet": Wrong(
        "a.parquet",
        parquet(question=["a"], answer=[float("nan")]),
        "{file} row 1: column 'answer': expected a finite number or a text, not NaN",
    ),
    "nan of a program": Wrong(
        "a.csv", HEAD + b"a,nan\n", "{file} row 2: column 'answer': expected an answer, not \"nan\""
    ),
    "true": Wrong(
        "a.jsonl",
        b'{"question": "a", "answer": true}\n',
        "{file} line 1: field 'answer': expected a text or a number, not true",
    ),
    "an object": Wrong(
        "a.jsonl",
        b'{"question": "a", "answer": {"value": [1]}}\n',
        "{file} line 1: field 'answer': expected a text or a number, not {{\"value\": [1]}}",
    ),
    "several answers": Wrong(
        "a.jsonl",
        b'{"question": "a", "answer": ["1", "one"]}\n',
        "{file} line 1: field 'answer': expected one answer, where this is a list of 2, not",
    ),
    "a number of too many digits": Wrong(
        "a.jsonl",
        b'{"question": "a", "answer": ' + b"9" * 5000 + b"}\n",
        "{file} line 1: expected a JSON object (Exceeds the limit",
    ),
    "a date": Wrong(
        "a.parquet",
        parquet(question=["a"], answer=pa.array([0], pa.date32())),
        "{file} row 1: column 'answer': expected a text or a number, not \"1970-01-01\"",
    ),
    "a solution without its answer": Wrong(
        "a.jsonl",
        b'{"question": "a", "solution": "It is 4."}\n',
        "{file} line 1: field 'solution': expected a solution with its answer in \\boxed{{...}} or",
    ),
    "an empty box": Wrong(
        "a.jsonl",
        b'{"question": "a", "answer": "So \\\\boxed{}"}\n',
        "{file} line 1: field 'answer': expected a solution with its answer in \\boxed{{...}} or",
    ),
    # Splits.
    "an unknown split": Wrong(
        "a.csv",
        b"question,answer,split\na,1,train\nb,2,other\n",
        "{file} row 3: column 'split': expected a split (train or training, validation or valid,",
    ),
    "no split": Wrong(
        "a.csv",
        b"question,answer,split\na,1,\n",
        "{file} row 2: column 'split': expected a split (",
    ),
    "no training rows": Wrong(
        "a.csv",
        b"question,answer,split\na,1,test\n",
        "data.source: {file}: expected training problems",
    ),
    "too few for a test split": Wrong(
        "a.csv", HEAD + b"a,1\n", "data.test_share: 0.2 of 1 problems leaves none to train on"
    ),
    "no such level": Wrong(
        "a.csv",
        b"question,answer,level\na,1,1\nb,2,2\n",
        "data.level: no train problem of {file} has level 5; it has 1, 2",
        {"level": 5},
    ),
}
