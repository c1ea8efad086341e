"""The same run on a Ray cluster of two workers, one of which is lost on the way."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.recovery import resume
from bench.sampling._local_ray import local_ray
from flows.machines.ray_worker import WorkerSpec
from tasks.settings import Resources
from tasks.settings.filter import SCORE
from tasks.settings.find_function import find_function
from tasks.settings.user_function import UserFunction
from tests.flows.conftest import ROOT, Restem
from tests.small import SMALL

# Not the threads: they change the last bits of a fine-tune, and so its digest.
ON_ONE_CORE = ("resources.score_workers=1",)


@pytest.mark.ray
def test_a_lost_worker_changes_no_digest(finished: Restem, tmp_path: Path) -> None:
    restem = Restem(tmp_path / "home", finished.api)
    with local_ray(2, restem.home) as ray:
        cluster = (f"resources.ray_address={ray.address}", "resources.engines=2")
        flags = [p for c in (*SMALL, *ON_ONE_CORE, *cluster) for p in ("--set", c)]
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "demo", *flags],
            cwd=ROOT,
            env=restem.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        while process.poll() is None and not _drawn(restem.home):
            time.sleep(0.1)
        ray.kill(0)
        output, _ = process.communicate(timeout=800)
        assert process.returncode == 0, output
        assert "a worker was lost" in output
        assert resume.digests(restem.home) == resume.digests(finished.home)
        again = restem.demo(*ON_ONE_CORE, *cluster)
        assert {step["state"] for step in again} == {"Cached"}
    assert resume._survivors(restem.home) == 0


def _drawn(home: Path) -> bool:
    """Whether the first shard of the E-step is scored."""
    lines = [line for path in home.glob("runs/*/steps.jsonl") for line in path.open()]
    return any(json.loads(line)["step"] == "score draw" for line in lines if line.endswith("}\n"))


def test_an_actor_has_one_engine_however_many_the_cluster_has(home: Path) -> None:
    resources = Resources(engines=4, device="cpu")
    spec = WorkerSpec(resources, None, "one", str(home))
    assert pickle.loads(pickle.dumps(spec)).resources.engines == 1


def test_the_text_of_a_function_travels_to_a_worker(home: Path, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text("def worth(completion): return 0.25\n")
    found = find_function(SCORE, f"{path}:worth")
    spec = WorkerSpec(Resources(score_workers=1), None, "travels", str(home), (found,))
    packed = pickle.dumps((spec, found.to_json()))
    path.unlink()
    runtime, travelled = pickle.loads(packed)
    pool = runtime.functions(UserFunction.from_json(travelled), 600.0)
    assert pool.submit({"completion": ""}).result().value == 0.25
    pool.close()


@pytest.mark.parametrize("address", ["127.0.0.1:9", "nonsense"])
def test_no_cluster_is_one_line(finished: Restem, tmp_path: Path, address: str) -> None:
    restem = Restem(tmp_path, finished.api)
    printed = restem("demo", "--set", f"resources.ray_address={address}", code=2)
    assert "resources.ray_address: no cluster" in printed
