"""`restem bench gpu` in small shapes on the CPU: every step runs, and what it finds holds."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.gpu._limits import ended_at
from bench.gpu._record import Bench
from bench.gpu._steps import STEPS
from tasks.errors import StepError
from tasks.paths import ROOT
from tasks.processes.child import Child
from tasks.rows import Json

SILENT = "import sys, time\nsys.stdin = None\ntime.sleep(3600)\n"


def asked(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bench.gpu", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Json]]:
    out = tmp_path_factory.mktemp("gpu") / "gpu.jsonl"
    done = asked(str(out), "--cpu-small", "--seconds", "1800")
    assert done.returncode == 0, done.stdout + done.stderr
    yield [json.loads(line) for line in out.read_text().splitlines()]


def of(lines: list[Json], step: str, part: str = "") -> list[Json]:
    found = [line for line in lines if line["step"] == step and part in line["case"]]
    assert found, (step, part)
    return found


@pytest.mark.engine
def test_every_step_runs_and_the_last_line_says_so(lines: list[Json]) -> None:
    assert {line["step"] for line in lines} == {"start", *STEPS, "end"}
    assert lines[-1] | {"at": 0} == {
        "step": "end",
        "case": "",
        "at": 0,
        "whole": True,
        "forked": True,
    }


@pytest.mark.engine
def test_nothing_fails_on_a_cpu(lines: list[Json]) -> None:
    assert [line for line in lines if "error" in line] == []


@pytest.mark.engine
def test_a_cpu_gives_what_a_cpu_gives(lines: list[Json]) -> None:
    assert [line["greedy_equal"] for line in of(lines, "equal")] == [1.0] * 3


@pytest.mark.engine
def test_float32_samples_hang_on_no_batch(lines: list[Json]) -> None:
    [line] = of(lines, "batches", "float32")
    shares = [value for name, value in line.items() if name.startswith("equal")]
    assert shares == [1.0, 1.0, 1.0]


@pytest.mark.engine
@pytest.mark.parametrize("way", ["mask", "by row", "as made"])
def test_packed_losses_are_those_of_rows_alone(lines: list[Json], way: str) -> None:
    found = [line for line in of(lines, "finetune", f"ours, {way}") if "fill" in line]
    differences = [
        line["loss_difference_float32"] for line in found if "loss_difference_float32" in line
    ]
    assert differences and max(differences) < 1e-5


@pytest.mark.engine
def test_trainers_are_measured_with_tokens_and_time(lines: list[Json]) -> None:
    measured = [line for line in of(lines, "finetune") if "error" not in line]
    assert {"ours" in line["case"] for line in measured} == {True, False}
    assert all(line["tokens"] > 0 and line["tokens_a_second"] > 0 for line in measured)
    assert all(line["flops_share"] > 0 for line in measured)


@pytest.mark.engine
def test_a_killed_training_goes_on_with_the_same_losses(lines: list[Json]) -> None:
    [line] = of(lines, "resume")
    assert line["went_on_at_step"] > 1
    assert (line["loss_difference"], line["weight_difference"]) == (0.0, 0.0)


@pytest.mark.engine
def test_what_is_forked_from_has_not_begun_with_cuda(lines: list[Json]) -> None:
    [line] = of(lines, "fork")
    assert (line["cuda_held"], line["trained_steps"] > 0) == (False, True)


@pytest.mark.engine
def test_every_family_is_trained_with_its_rows_apart(lines: list[Json]) -> None:
    trained = [line for line in of(lines, "families", "packed") if "refused" not in line]
    assert len(trained) == 2 * 2 + 3  # hybrids unpacked alone
    assert all(line["rows_apart"] and line["trained_steps"] == 1 for line in trained)


@pytest.mark.engine
def test_dpo_begins_at_ln_2(lines: list[Json]) -> None:
    assert [line["loss"] for line in of(lines, "dpo")] == pytest.approx([math.log(2)] * 2, rel=1e-4)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["out.jsonl", "cards"], "STEP cards: expected one of: card, equal"),
        (["card"], "OUT: expected the file to write first"),
        (["/nowhere/out.jsonl"], "OUT /nowhere/out.jsonl: expected a file in a folder"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], said: str) -> None:
    done = asked(*words)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1


def test_a_silent_process_is_ended_at_its_limit(tmp_path: Path) -> None:
    script = tmp_path / "silent.py"
    script.write_text(SILENT)
    child = Child.script(Path(sys.executable), script, log=tmp_path / "log")
    with child, pytest.raises(StepError, match="died"), ended_at(child, time.time()):
        child.call({})


def test_an_error_is_a_line_with_the_end_of_its_traceback(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    bench = Bench("card", str(out), str(tmp_path), True, time.time(), time.time())
    bench.line("first", share=0.12345678, nothing=None, endless=math.inf)
    bench.failed("second", ValueError("no\nnumber"))
    first, second = (json.loads(line) for line in out.read_text().splitlines())
    assert (first["share"], first["nothing"], first["endless"]) == (0.123457, None, "inf")
    assert second["error"] == "ValueError: no number"
    assert second["trace"][-1] == "number"


@pytest.mark.engine
def test_sizes_of_the_batch_are_compared(lines: list[Json]) -> None:
    ways = [line["case"].partition(", turn")[0] for line in of(lines, "shapes")]
    assert ways == [
        *("few sizes, with cuDNN", "exact sizes, with cuDNN"),
        *("few sizes, without cuDNN", "exact sizes, without cuDNN"),
    ]
