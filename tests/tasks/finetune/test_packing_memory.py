"""Packing holds no set of rows in memory: ten times the rows take about the same memory."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tasks.paths import ROOT
from tasks.rows import TRAINING, Row, write_rows

pytestmark = pytest.mark.slow

WORDS = 60
SMALL, LARGE = 20_000, 200_000
# Lengths, places and their order are kept for every row: about a hundred bytes each. The tokens
# of the large set, as Python has lists of numbers, would be 400 MB.
MOST_MB = 60
CHILD = """
import json, resource, sys
from pathlib import Path
from bench.training.memory import _tokenizer
from tasks.finetune.packing import prepare
from tasks.settings import FinetuneSettings
folder = Path(sys.argv[1])
dataset, packed = prepare(folder / "rows.parquet", _tokenizer(), FinetuneSettings(), folder)
first = next(iter(dataset))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"rows": packed.rows, "tokens": packed.tokens, "peak": peak,
                  "first": len(first["input_ids"])}))
"""


def rows(count: int) -> Iterator[Row]:
    draw = random.Random(1)
    for i in range(count):
        yield {
            "prompt": f"Question {i % 100}",
            "completion": draw.randbytes(WORDS - 3).hex(" "),
            "weight": 1.0,
            "problem_id": f"p{i % 100}",
            "index": i,
            "samples": "key",
        }


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    peaks = []
    for count in (SMALL, LARGE):
        folder = tmp_path / str(count)
        folder.mkdir()
        write_rows(folder / "rows.parquet", TRAINING, rows(count))
        child = subprocess.run(
            [sys.executable, "-c", CHILD, str(folder)],
            cwd=ROOT,
            env={**os.environ, "TOKENIZERS_PARALLELISM": "false"},
            stdout=subprocess.PIPE,
            check=True,
        )
        found = json.loads(child.stdout.splitlines()[-1])
        assert (found["rows"], found["tokens"]) == (count, count * WORDS)
        assert 900 < found["first"] <= 1024
        peaks.append(found["peak"])
    assert peaks[1] - peaks[0] < MOST_MB, peaks
