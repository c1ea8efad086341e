"""`restem bench cache`: a run of 7,500 problems by 32 samples of which everything is cached.

Made once, in RESTEM_HOME/bench/cache, and found there by later benches: three iterations, with the
paper's 64 samples of 500 test problems, by the embedded tiny policy. Every step, artifact and
manifest is real: problems, scoring, grouping, selection, training, metrics and report. Only the
policy's hundreds of thousands of completions are not decoded, which would take half an hour: an
engine of the bench takes them from the problems' own solutions, right or another problem's.

Measured is the same run once more, through Prefect, in a process of its own: seconds of the flow,
the whole command, the peak of the memory of its process tree (Prefect's server with it; shared
pages count in each process, so it is rather too much), and the task runs in Prefect's database.
The baseline takes turns with it: a flow of as many cached tasks that do nothing.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from tasks.dag.runtime import home
from tasks.paths import ROOT
from tasks.problems.synthetic_math import by_hand, sum_stream
from tasks.store.store import digest_of

CONFIG = "math-demo"
PROBLEMS, TESTS, VALIDATION = 7500, 500, 200
LIMIT_SECONDS, LIMIT_MB = 10.0, 1000.0
# What configs/math.toml says, but for the training: a short one is as good to be found.
CHANGES = (
    "name=bench-cache",
    "data.train=gsm8k",
    f"data.train_limit={PROBLEMS}",
    f"data.test_limit={TESTS}",
    f"data.validation={VALIDATION}",
    "sampling.samples=32",
    "filter.cap=1",
    "finetune.epochs=1",
    "finetune.checks=0",
    "evaluation.samples=64",
    "evaluation.pass_k=[1,4,16,64]",
    "evaluation.majority=[64]",
    f"evaluation.sampled_problems={TESTS}",
    "evaluation.train_problems=500",
    "resources.shard_problems=256",
    "resources.shard_samples=8",
)
_CALL = "import sys; from bench.orchestration import _cached_run as r; r.{0}(*{1})"


@dataclass(frozen=True)
class Taken:
    """What a child took."""

    seconds: float  # of its flow
    whole: float  # seconds from its start to its end
    peak_mb: float  # of its process tree
    tasks: int  # runs of tasks that Prefect's database has


def run(pairs: str = "5", *changes: str) -> float:
    """Measure both in turns, and print the medians and the ratio.

    Args:
        pairs: How many turns.
        changes: `key=value` changes to the configuration; another one is made first.

    Raises:
        SystemExit: a step of the run was not cached.
    """
    folder = home() / "bench" / "cache"
    find = prepared(*changes)
    bare = _CALL.format("bare", "[sys.argv[1]]")
    found = [find()]  # writes Prefect's records
    plain = [_child(folder / "bare", bare, str(found[0].tasks))]
    print(f"steps: {found[0].tasks}, all cached; first {found[0].seconds:.1f} s", flush=True)
    found.clear()
    plain.clear()
    for number in range(1, int(pairs) + 1):
        plain.append(_child(folder / "bare", bare, str(_steps(folder))))
        found.append(find())
        print(
            f"{number}: bare {plain[-1].seconds:.1f} s; run {found[-1].seconds:.1f} s (command "
            f"{found[-1].whole:.1f} s), {found[-1].peak_mb:.0f} MB, {found[-1].tasks} task runs",
            flush=True,
        )
    seconds = statistics.median(one.seconds for one in found)
    peak = max(one.peak_mb for one in found)
    most = max(one.tasks for one in found)
    print(f"flow {seconds:.1f} s of {LIMIT_SECONDS:.0f} s: {_verdict(seconds <= LIMIT_SECONDS)}")
    print(f"peak {peak:.0f} MB of {LIMIT_MB:.0f} MB: {_verdict(peak <= LIMIT_MB)}")
    print(f"task runs {most}: {_verdict(most < 1000)}")
    ratio = statistics.median(
        one.seconds / other.seconds for one, other in zip(found, plain, strict=True)
    )
    print(f"cache ratio={ratio:.3f}")
    return ratio


def prepared(*changes: str) -> Callable[[], Taken]:
    """Have the run made; what is returned finds it all cached, in a process of its own.

    Args:
        changes: `key=value` changes to the configuration; another one is made first.
    """
    folder = home() / "bench" / "cache"
    every = [*CHANGES, *_sources(folder), *changes]
    _make(folder, every)

    def find() -> Taken:
        code = _CALL.format("find", "[sys.argv[1], sys.argv[2:]]")
        taken = _child(folder, code, CONFIG, *every)
        _all_cached(folder)
        return taken

    return find


def _verdict(ok: bool) -> str:
    return "ok" if ok else "TOO MUCH"


def _sources(folder: Path) -> list[str]:
    """Files with the problems, written if they are not there, and the changes that name them."""
    folder.mkdir(parents=True, exist_ok=True)
    changes = []
    for field, split, count in (
        ("source", "train", PROBLEMS + VALIDATION),
        ("test_source", "test", TESTS),
    ):
        path = folder / f"{split}.jsonl"
        made = zip(range(count), sum_stream(split, seed=1), strict=False)
        lines = [json.dumps({"question": p.question, "answer": by_hand(p)}) for _, p in made]
        text = "\n".join(lines) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
        changes.append(f"data.{field}={path}")
    return changes


def _make(folder: Path, changes: list[str]) -> None:
    """Do the run, unless this very one was done here before."""
    mark, name = folder / "made.json", digest_of(changes)
    if mark.exists() and json.loads(mark.read_text(encoding="utf-8")) == name:
        return
    print("making the run, once", flush=True)
    make = _CALL.format("make", "[sys.argv[1], sys.argv[2:]]")
    taken = _child(folder, make, CONFIG, *changes)
    print(f"made in {taken.whole:.0f} s", flush=True)
    mark.write_text(json.dumps(name), encoding="utf-8")


def _child(folder: Path, code: str, *arguments: str) -> Taken:
    """Run a function of _cached_run in a process and a home of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    variables = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    variables["RESTEM_HOME"] = str(folder)
    started, peak = time.perf_counter(), 0.0
    with (folder / "log").open("w+", encoding="utf-8") as log:
        child = subprocess.Popen(
            [sys.executable, "-c", code, *arguments],
            cwd=ROOT,
            env=variables,
            stdout=log,
            stderr=log,
        )
        while child.poll() is None:
            peak = max(peak, _memory(child.pid))
            time.sleep(0.1)
        whole = time.perf_counter() - started
        log.seek(0)
        said = log.read().strip()
    if child.returncode:
        raise SystemExit(f"bench cache: a process failed:\n{said[-2000:]}")
    last = said.rpartition("\n")[2]
    facts = json.loads(last) if last.startswith("{") else {"seconds": whole, "tasks": 0}
    return Taken(facts["seconds"], whole, peak, facts["tasks"])


def _memory(pid: int) -> float:
    """Resident memory of a process tree, in MB."""
    total = 0
    try:
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            total += one.memory_info().rss
    except psutil.Error:
        pass
    return total / 1e6


def _journal(folder: Path) -> list[dict]:
    (path,) = sorted((folder / "runs").glob("*/steps.jsonl"), key=lambda p: p.stat().st_mtime)[-1:]
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _steps(folder: Path) -> int:
    return len(_journal(folder))


def _all_cached(folder: Path) -> None:
    done = [line["label"] for line in _journal(folder) if line["state"] != "Cached"]
    if done:
        raise SystemExit(
            f"bench cache: {len(done)} steps were done again, such as {done[0]}; if another "
            "version had made the run, the next call finds it"
        )
