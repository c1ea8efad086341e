"""A run whose samples a hosted model draws: what it pays, how it goes on, where its key may be."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flows.config.rest_em import load_config
from flows.orchestrator.direct_caller import DirectCaller
from flows.rest_em.loop import Loop
from sandbox.owner import LABEL
from sandbox.pool import connect
from tasks.decoding.request import Sampling
from tasks.generate.hosted.service import ADDRESS
from tasks.generate.hosted.service import KEY as KEY_VARIABLE
from tasks.generate.transformers_engine import TransformersEngine
from tasks.paths import MODELS, ROOT
from tasks.problems.synthetic_code import load_split
from tasks.prompts import load_template
from tasks.rows import read_rows
from tests.flows.rest_em.test_code import SMALL
from tests.flows.rest_em.test_methods import QUIET
from tests.small import SMALLEST
from tests.tasks.generate.hosted_parts import KEY, Reply, Service, failed, question, said, serving

TEACHER = ("sampling.teacher=openai:some-model", "sampling.top_k=0")
PRICES = ("resources.price_in=3", "resources.price_out=15")
TRACKING = 'tracking=["tensorboard", "wandb", "mlflow", "trackio"]'
PROBLEMS, SAMPLES = 30, 4  # of SMALL
# The account is empty after so many answers, and is filled again for the second attempt.
FIRST_ANSWERS = 40
# A program looks for the key wherever a process of the sandbox can look, and fails where it is.
SPY = f"""import glob, os
found = repr(os.environ)
for path in glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline"):
    try:
        found += open(path, errors="replace").read()
    except OSError:
        pass
assert {KEY[:11]!r} + {KEY[11:]!r} not in found
"""


@dataclass
class Watched:
    """The service behind a run, and what was seen of the machine while it answered."""

    solutions: dict[str, str]
    empty: bool = True
    places: dict[str, int] = field(default_factory=dict)
    answers: Counter[tuple[str, int]] = field(default_factory=Counter)
    commands: list[str] = field(default_factory=list)
    containers: list[str] = field(default_factory=list)

    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, request: dict[str, Any], number: int) -> Reply:
        """Some faults, one refusal of a kind, and otherwise a right program."""
        with self.lock:  # several are asked at once
            return self._answer(request, number)

    def _answer(self, request: dict[str, Any], number: int) -> Reply:
        if number % 25 == 0:
            self.look()
        faults = {
            3: failed(500, f"trace: Authorization: Bearer {KEY}"),
            6: failed(429, "slow down", headers={"retry-after-ms": "50"}),
            9: Reply(said("x").body, cut=30),
            12: Reply(b"{"),
        }
        if number in faults:
            return faults[number]
        if self.empty and sum(self.answers.values()) >= FIRST_ANSWERS:
            return failed(402, f"no credit left on {KEY}")
        asked = question(request)
        self.answers[asked, request["seed"]] += 1
        place = len(self.places)
        place = self.places.setdefault(asked, place)
        if place == 0:
            return said(None, refusal="I will not.")
        if place == 1:
            return said(f"print('{KEY}')")
        program = self.solutions[asked]
        # The longer ones do not fit into a training row, and the others are trained on.
        return said(SPY + program if place < 10 else program, "length" if place == 2 else "stop")

    def look(self) -> None:
        """Note the commands of all processes, and the environments of the sandbox's containers."""
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                self.commands.append(path.read_text(errors="replace"))
            except OSError:
                continue
        client = connect()
        for one in client.containers.list(filters={"label": LABEL}, ignore_removed=True):
            self.containers.append(json.dumps(one.attrs["Config"]))
        client.close()


@dataclass
class Ran:
    """Three attempts at a run, in a home with a Prefect server of its own."""

    home: Path
    watched: Watched
    service: Service
    said: list[str] = field(default_factory=list)

    def attempt(self, *changes: str, code: int = 0, key: str = KEY) -> str:
        """Run the demo; returns what it printed."""
        fields = (*SMALL, *TEACHER, *PRICES, TRACKING, *changes)
        flags = [part for one in fields for part in ("--set", one)]
        return self("demo", "--domain", "code", *flags, code=code, key=key)

    def __call__(self, *arguments: str, code: int = 0, key: str = KEY) -> str:
        plain = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            cwd=ROOT,
            env={
                **plain,
                "RESTEM_HOME": str(self.home),
                "PYTHONPATH": str(ROOT),
                ADDRESS: self.service.address,
                KEY_VARIABLE: key,
            },
            capture_output=True,
            text=True,
        )
        self.said.append(done.stdout + done.stderr)
        assert done.returncode == code, self.said[-1]
        return self.said[-1]

    def rows(self, kind: str, file: str) -> list[dict[str, Any]]:
        """Of all artifacts of a kind that the hosted model had a part in."""
        found = [list(read_rows(path)) for path in self.home.glob(f"store/{kind}/*/{file}")]
        taught = next((self.home / "store").glob("model/*/hosted.json")).parent
        digest = json.loads((taught / "manifest.json").read_text())["digest"]
        return [row for rows in found for row in rows if row.get("model") == digest]


@pytest.fixture(scope="module")
def ran(image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    """A run that its service's empty account ended, and that then went on."""
    solutions = {row["question"]: row["solution"] for row in load_split("train")}
    watched = Watched(solutions)
    with serving(watched.answer) as service:
        found = Ran(tmp_path_factory.mktemp("hosted"), watched, service)
        found.attempt(code=1)
        watched.empty = False
        found.attempt()
        yield found


needs = [pytest.mark.engine, pytest.mark.docker, pytest.mark.prefect]


def needing(test: Any) -> Any:
    """Mark a test that looks at the run."""
    for mark in needs:
        test = mark(test)
    return test


@needing
def test_an_attempt_that_ended_early_pays_for_nothing_twice(ran: Ran) -> None:
    assert "no quota left" in ran.said[0]
    assert len(ran.watched.answers) == PROBLEMS * SAMPLES
    assert set(ran.watched.answers.values()) == {1}


@needing
def test_a_run_that_is_done_asks_nobody_and_needs_no_key(ran: Ran) -> None:
    before = len(ran.service.requests)
    assert " 0 run" in ran.attempt(key="")
    assert len(ran.service.requests) == before


@needing
def test_every_end_of_an_answer_is_kept_with_its_verdict(ran: Ran) -> None:
    rows = ran.rows("samples", "samples.parquet")
    assert len(rows) == PROBLEMS * SAMPLES
    ends = Counter(row["finish"] for row in rows)
    assert ends == {"refused": SAMPLES, "length": SAMPLES, "stop": (PROBLEMS - 2) * SAMPLES}
    assert all(row["text"] == "I will not." for row in rows if row["finish"] == "refused")


@needing
def test_a_training_row_is_traced_to_the_hosted_model(ran: Ran) -> None:
    assert json.loads(ran("trace", "latest", "0", "--json"))["policy"]["made by"] == TEACHER[0][17:]


@needing
def test_the_costs_are_tokens_by_prices(ran: Ran) -> None:
    made = json.loads(ran("status", "latest", "--json"))["cost"]["total"]["made"]
    assert made["input_tokens"] == 11 * PROBLEMS * SAMPLES
    money = (3 * 11 + 15 * 7) * PROBLEMS * SAMPLES / 1e6
    assert made["money"] == pytest.approx(money, abs=1e-6)
    shown = ran("status", "latest")
    assert "tokens read" in shown and "money" in shown


@needing
def test_the_key_is_nowhere(ran: Ran) -> None:
    """In no file under RESTEM_HOME (Prefect's database among them), no output, no command."""
    secret = KEY.encode()
    files = [path for path in ran.home.rglob("*") if path.is_file()]
    assert any(path.name == "prefect.db" for path in files)
    assert any(path.name == "answers.sqlite" for path in files)
    for path in files:
        with contextlib.suppress(FileNotFoundError):  # its server may be about to end
            assert secret not in path.read_bytes(), path
        if path.suffix == ".parquet":  # compressed
            assert KEY not in repr(list(read_rows(path))), path
    assert not any(KEY in text for text in ran.said)
    assert ran.watched.commands and not any(KEY in text for text in ran.watched.commands)
    assert all(KEY in headers["Authorization"] for headers in ran.service.headers)


@needing
def test_the_sandbox_does_not_see_the_key(ran: Ran) -> None:
    assert ran.watched.containers and not any(KEY in one for one in ran.watched.containers)
    # The programs that look for it are right ones where they do not find it.
    verdicts = [
        row
        for path in ran.home.glob("store/verdicts/*/verdicts.parquet")
        for row in read_rows(path)
        if SPY.splitlines()[0] in row["extracted"]
    ]
    statuses = Counter(row["status"] for row in verdicts)
    assert statuses == {"correct": 8 * SAMPLES}


# ---- a real model behind the service ----


class Drawn:
    """A run straight in this process: the samples that were drawn, and how many are trained on."""

    def __init__(self, *changes: str) -> None:
        config = load_config("math-demo", [*changes, *QUIET])
        with DirectCaller(config) as caller:
            outcome = Loop(config, caller).run()
            drawn = outcome.iterations[0].drawn.samples
            paths = [caller.store.path(ref) / "samples.parquet" for ref in drawn]
            self.rows = [row for path in paths for row in read_rows(path)]
            self.trained = next(ref.rows for group, ref in caller.done if group == "select")


@pytest.mark.engine
def test_a_real_model_behind_the_service_gives_the_samples_that_it_gives_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Prompt, settings and seeds arrive as they are meant, and what comes back is trained on."""
    template = load_template("tiny_math")
    engine = TransformersEngine(
        MODELS / "tiny-math", device="cpu", dtype="float32", threads=1, batch_size=1
    )
    lock = threading.Lock()

    def answer(request: dict[str, Any], number: int) -> Reply:
        sampling = Sampling(
            temperature=request["temperature"],
            top_p=request["top_p"],
            max_tokens=request["max_tokens"],
            stop=tuple(request["stop"]),
        )
        with lock:
            prompt = template.render(question(request), 0)
            [one] = engine.sample([prompt], [(0, request["seed"])], sampling)
        usage = {"prompt_tokens": 1, "completion_tokens": one.tokens}
        message = {"role": "assistant", "content": one.text}
        choice = {"index": 0, "finish_reason": one.finish, "message": message}
        return Reply({"choices": [choice], "usage": usage})

    changes = (
        *SMALLEST,
        *("iterations=1", "model.base=embedded:tiny-code", "model.shots=0", "sampling.top_k=0"),
    )
    here = Drawn("sampling.teacher=embedded:tiny-math", *changes)
    with serving(answer) as service:
        monkeypatch.setenv(ADDRESS, service.address)
        monkeypatch.setenv(KEY_VARIABLE, "")
        there = Drawn("sampling.teacher=openai:tiny-math", *changes)
    assert "Authorization" not in service.headers[0]
    # The last bit of a sum depends on the batch, so a sample may differ now and then.
    pairs = list(zip(here.rows, there.rows, strict=True))
    assert sum(a["text"].strip() == b["text"] for a, b in pairs) >= len(pairs) - 2
    assert all((a["problem_id"], a["seed"]) == (b["problem_id"], b["seed"]) for a, b in pairs)
    assert len(pairs) == 96 and there.trained > 0
