"""Both engines as the flow uses them: child processes that are spoken to over a pipe."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tasks.decoding.decode import decode
from tasks.decoding.request import Sampling
from tasks.errors import StepError, UserError
from tasks.generate.dealing import deal
from tasks.generate.engine import open_engine
from tasks.generate.vllm_environment import MARKER, VARIABLE, check, folder_of, install, python_of
from tasks.paths import ROOT
from tasks.processes.child import close_fork_server, preload
from tasks.settings import Resources
from tests.needs import lacking
from tests.tasks.decoding.decoding_parts import make_model, make_tokenizer, save

pytestmark = pytest.mark.engine

PROMPTS = ["3 and 4 is ", "how many apples: ", "a b c d "]
SAMPLING = Sampling(temperature=0.8, top_k=20, max_tokens=24, stop=("e",))
GREEDY = Sampling(temperature=0.0, max_tokens=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module", autouse=True)
def fork_server():
    preload(["torch", "transformers.models.llama", "tasks.decoding.decode"])
    yield
    close_fork_server()
    preload([])


def opened(name: str, folder: Path, tmp_path: Path, **resources):
    return open_engine(
        name,
        folder,
        resources=Resources(device="cpu", batch_size=16, **resources),
        dtype="float32",
        log=tmp_path / "engine.log",
        home=tmp_path,
    )


def test_samples_of_several_children_are_those_of_one_process_in_order(folder, tmp_path):
    requests = [(i % 3, i) for i in range(600)]
    seen: list[tuple[int, int]] = []
    engine = opened("transformers", folder, tmp_path, threads=2)
    try:
        found = engine.sample(PROMPTS, requests, SAMPLING, lambda *pair: seen.append(pair))
    finally:
        engine.close()
    expected = decode(make_model(), make_tokenizer(), PROMPTS, requests, SAMPLING, batch_size=64)
    # The last bit of a sum depends on the batch, so one sample in a thousand may differ.
    assert sum(a == b for a, b in zip(found, expected, strict=True)) >= 598
    assert seen[-1] == (600, 600)
    # Only the fork server and its guard stay. (Checker processes of other tests may live beside
    # them, or just be ending.)
    commands = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            commands.append(" ".join(process.cmdline()))
    assert sum("tasks.processes.fork_server" in command for command in commands) <= 2


def test_a_warm_nursery_leaves_children_nothing_to_import(folder):
    code = (
        "import sys, flows.machines.preload; from pathlib import Path; before = set(sys.modules); "
        "from tasks.generate.transformers_engine import TransformersEngine as Engine; "
        "from tasks.decoding.request import Sampling; "
        "engine = Engine(Path(sys.argv[1]), device='cpu', dtype='float32', threads=1, "
        "batch_size=2); engine.sample(['3 and 4 is '], [(0, 1)], Sampling(max_tokens=2)); "
        "print(len(set(sys.modules) - before))"
    )
    command = [sys.executable, "-c", code, str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(run.stdout) < 10  # without the warming it is over a thousand


@pytest.mark.parametrize("replicas", [1, 2, 5])
def test_every_request_goes_to_one_child_with_all_samples_of_its_prompt(replicas: int):
    requests = [(i % 40, i) for i in range(2000)]
    parts = deal(["x" * (i % 7) for i in range(40)], requests, replicas)
    assert sorted(i for part in parts for i in part) == list(range(2000))
    assert len(parts) == replicas
    homes = [{requests[i][0] for i in part} for part in parts]
    assert sum(map(len, homes)) == 40
    assert max(map(len, parts)) - min(map(len, parts)) <= 50


def test_a_request_that_does_not_fit_is_the_users_mistake_in_one_line(folder, tmp_path):
    engine = opened("transformers", folder, tmp_path, threads=1)
    try:
        with pytest.raises(UserError, match=r"^sampling\.max_tokens: .* 2048 positions$"):
            engine.sample(PROMPTS, [(0, 1)], Sampling(max_tokens=5000))
        assert len(engine.sample(PROMPTS, [(0, 1)], GREEDY)) == 1
    finally:
        engine.close()


def test_a_folder_without_a_model_fails_with_the_log(tmp_path):
    (tmp_path / "empty").mkdir()
    engine = opened("transformers", tmp_path / "empty", tmp_path, threads=1)
    try:
        with pytest.raises(StepError, match=r"engine\.log"):
            engine.sample(PROMPTS, [(0, 1)], GREEDY)
    finally:
        engine.close()


def test_an_engine_that_is_not_asked_starts_nothing(folder, tmp_path):
    before = {one.pid for one in psutil.Process().children(recursive=True)}
    engine = opened("transformers", folder, tmp_path)
    assert engine.sample(PROMPTS, [], GREEDY) == []
    # Those of tests before may be ending.
    assert {one.pid for one in psutil.Process().children(recursive=True)} <= before
    engine.close()


def test_a_missing_vllm_says_how_to_get_it(folder, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UserError, match="restem engine install vllm"):
        opened("vllm", folder, tmp_path)
    assert [fact.good for fact in check(tmp_path)] == [False]


def test_a_half_built_environment_does_not_count(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    python = folder_of(tmp_path) / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    with pytest.raises(UserError, match="not installed"):
        python_of(tmp_path)


def test_a_failing_pip_is_one_line_and_leaves_nothing_that_counts(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    # pip itself fails without touching the network.
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(StepError, match=r"^pip install torch==[^\n]*install\.log\)$"):
        install(tmp_path, cpu=True, say=lambda _: None)
    assert not (folder_of(tmp_path) / MARKER).exists()


def test_a_variable_that_names_no_program_is_the_users_mistake(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, str(tmp_path / "nothing"))
    with pytest.raises(UserError, match=VARIABLE):
        python_of(tmp_path)


@pytest.fixture
def vllm_python() -> Path:
    named = os.environ.get(VARIABLE)
    if not named:
        lacking(f"{VARIABLE} is not set: no environment with vLLM (make test makes one)")
    return Path(named)


def test_vllm_agrees_with_transformers_and_grows_when_a_request_is_longer(
    folder, tmp_path, vllm_python
):
    resources = {"threads": 1, "cpu_cache_gb": 0.25}
    long = [PROMPTS[0] * 20]
    seen: list[tuple[int, int]] = []
    engine = opened("vllm", folder, tmp_path, **resources)
    plain = opened("transformers", folder, tmp_path, **resources)
    try:
        requests = [(0, 11), (1, 12), (1, 12), (2, 2**62 - 1), (1, 13)]
        greedy = engine.sample(PROMPTS, [(i, 0) for i in range(3)], GREEDY)
        first = engine.sample(PROMPTS, requests, SAMPLING, lambda *pair: seen.append(pair))
        again = engine.sample(PROMPTS, requests[::-1], SAMPLING)[::-1]
        with pytest.raises(UserError, match="positions"):
            engine.sample(long, [(0, 1)], Sampling(max_tokens=2000))
        # More than the positions that the first request asked for: a fresh child.
        grown = engine.sample(long, [(0, 1)], Sampling(temperature=0.0, max_tokens=1000))
        expected = plain.sample(PROMPTS, [(i, 0) for i in range(3)], GREEDY)
        start = plain.sample(long, [(0, 1)], Sampling(temperature=0.0, max_tokens=40))
    finally:
        engine.close()
        plain.close()
    assert greedy == expected
    assert grown[0].text.startswith(start[0].text)
    assert first == again
    assert first[1] == first[2]
    assert all("e" not in c.text and c.tokens <= 24 for c in first)
    assert {c.finish for c in first} <= {"stop", "length"}
    assert seen[-1] == (5, 5)


def test_the_vllm_script_imports_nothing_of_this_project_but_the_wire():
    code = (
        "import runpy, sys; made = runpy.run_path('tasks/generate/vllm_engine.py'); "
        "made['_load']('processes/wire.py'); "
        "print(sorted(m for m in sys.modules if m.split('.')[0] in "
        "('tasks', 'flows', 'sandbox', 'pydantic', 'numpy', 'torch')))"
    )
    run = subprocess.run(
        [sys.executable, "-I", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"


def test_an_engine_uses_the_cores_that_it_may_use(folder):
    """As `taskset` and a cluster's scheduler bind a process; on one core alone nothing is seen."""
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "import torch\n"
        "from tasks.generate.transformers_engine import TransformersEngine\n"
        "os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "TransformersEngine(\n"
        "    Path(sys.argv[1]), device='cpu', dtype='float32', threads=0, batch_size=8)\n"
        "print(torch.get_num_threads())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder)], capture_output=True, text=True, cwd=ROOT
    )
    assert done.stdout == "1\n", done.stderr
