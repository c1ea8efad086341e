"""`restem bench memory`: selecting and packing many samples, in how much memory and time.

Synthetic samples and verdicts in shards of the usual shape (256 problems by 8 samples, 32 samples
a problem) are written to a temporary folder, once a tenth of the rows and once all. A child
process then selects and packs them as the steps do; its peak resident memory is measured. The
ratio is CPU time against rows, so that neighbours do not blur it: 1 is linear.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.paths import ROOT
from tasks.rows import (
    PROBLEM,
    PROBLEMS_FILE,
    ROWS_FILE,
    SAMPLE,
    TRAINING,
    VERDICT,
    Row,
    read_rows,
    sample_seed,
    write_rows,
)
from tasks.select.select import Shard, select
from tasks.settings import FilterSettings, FinetuneSettings, Resources

LIMIT_MB = 1500
SAMPLES = 32  # for each problem, the paper's N
TESTS = 500
# About 60% of the samples are correct and 2% are cut, so every rule has work.
CORRECT, CUT = 0.6, 0.02
# A solution of about 540 characters and 180 tokens: what MATH solutions have.
WORDS = 180
_CHILD = "import sys; from bench.training.memory import measure_memory; measure_memory(sys.argv[1])"


def run(rows: int | str = 1_000_000) -> float:
    """Measure a tenth of `rows` and all of them, and print peaks, times and the ratio.

    Args:
        rows: Sample rows of the large set, at least 1,000.

    Returns:
        Time of the large set over ten times that of the small one.
    """
    results = [_measured(count) for count in (int(rows) // 10, int(rows))]
    small, large = (result["select"] + result["pack"] for result in results)
    peak = max(result["peak_mb"] for result in results)
    print(f"peak {peak:.0f} MB of {LIMIT_MB} MB: {'ok' if peak < LIMIT_MB else 'TOO MUCH'}")
    ratio = large / (10 * small)
    print(f"memory ratio={ratio:.3f}")
    return ratio


def measure_memory(folder: str) -> None:
    """In the child: select, write and pack the samples of a folder; print what it took."""
    place = Path(folder)
    shards: list[Shard] = [
        tuple(one) for one in json.loads((place / "shards.json").read_text(encoding="utf-8"))
    ]
    started = time.process_time()
    rows, counts = select(
        shards,
        list(read_rows(place / PROBLEMS_FILE)),
        FilterSettings.model_validate({}),
        0,
        lambda problem: f"Question: {problem['question']}\nAnswer:",
    )
    write_rows(place / ROWS_FILE, TRAINING, rows)
    selected = time.process_time()
    select_peak = _peak_mb()
    from tasks.finetune.packing import prepare

    tokenizer = _tokenizer()
    imported = time.process_time()
    prepare(place / ROWS_FILE, tokenizer, FinetuneSettings.model_validate({}), place)
    result = {
        "kept": counts.kept,
        "select": selected - started,
        "select_mb": select_peak,
        "pack": time.process_time() - imported,
        "peak_mb": _peak_mb(),
    }
    print(json.dumps(result))


def _tokenizer() -> Any:
    """A token for every word of `_text`, so the model's own tokenizer is not measured."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="<unk>", eos_token="</s>")


def _measured(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        _write_set(Path(folder), count)
        child = subprocess.run(
            [sys.executable, "-c", _CHILD, folder],
            check=True,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
    result = json.loads(child.stdout.splitlines()[-1])
    print(
        f"{count:>9,} samples, {result['kept']:,} kept: select {result['select']:.1f} s CPU, "
        f"peak {result['select_mb']:.0f} MB; then pack {result['pack']:.1f} s CPU, "
        f"peak {result['peak_mb']:.0f} MB",
        flush=True,
    )
    return result


def _write_set(folder: Path, count: int) -> None:
    """Problems, sample shards and verdicts with `count` samples in all."""
    resources = Resources.model_validate({})
    ids = [f"train/{number}" for number in range(count // SAMPLES)]
    write_rows(folder / PROBLEMS_FILE, PROBLEM, _problems(ids))
    shards: list[Shard] = []
    for start in range(0, len(ids), resources.shard_problems):
        block = ids[start : start + resources.shard_problems]
        for first in range(0, SAMPLES, resources.shard_samples):
            indices = range(first, first + resources.shard_samples)
            rows = list(_samples(block, indices))
            name = f"{start}-{first}"
            paths = folder / f"{name}.samples.parquet", folder / f"{name}.verdicts.parquet"
            write_rows(paths[0], SAMPLE, rows)
            write_rows(paths[1], VERDICT, rows)
            shards.append((str(paths[0]), str(paths[1]), name))
    (folder / "shards.json").write_text(json.dumps(shards), encoding="utf-8")


def _problems(ids: list[str]) -> Iterator[Row]:
    for name in [*ids, *(f"test/{number}" for number in range(TESTS))]:
        draw = random.Random(name)
        yield {
            "id": name,
            "domain": "math",
            "question": _text(draw, 40),
            "reference": "1",
            "solution": "",
            "level": str(draw.randint(1, 5)),
            "subject": "",
            "split": name.split("/")[0],
        }


def _samples(ids: list[str], indices: range) -> Iterator[Row]:
    """Rows with the columns of a sample and of its verdict."""
    for name in ids:
        for index in indices:
            seed = sample_seed(0, name, index)
            draw = random.Random(seed)
            correct = draw.random() < CORRECT
            yield {
                "problem_id": name,
                "index": index,
                "seed": seed,
                "text": _text(draw, WORDS),
                "tokens": WORDS,
                "finish": "length" if draw.random() < CUT else "stop",
                "model": "m" * 64,
                "prompt": "p" * 64,
                "reward": float(correct),
                "status": "correct" if correct else "wrong_answer",
                "extracted": "1",
                "first_failure": -1,
            }


def _text(draw: random.Random, words: int) -> str:
    """Words of two signs that no compressor and no duplicate check makes small."""
    return draw.randbytes(words).hex(" ")


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
