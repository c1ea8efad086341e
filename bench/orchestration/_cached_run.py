"""The processes behind `restem bench cache`: one makes a run, one finds it again, one is bare.

Each is called as a program of its own, so that its memory and its imports are its own.
"""

from __future__ import annotations

import json
import random
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from flows.config.rest_em import RestEmConfig, load_config
from flows.server.access import authorization, secret_for
from tasks.decoding.request import Completion, Completions, SampleProgress, Sampling, Weights
from tasks.decoding.tokens import Prompt
from tasks.problems.step import load_splits
from tasks.prompts import load_template
from tasks.rows import Json
from tasks.store.store import ArtifactRef

# Shares of 100 completions: the problem's own worked solution, else one of another problem.
RIGHT = 40
# Prefect writes task runs down in the background; it is done when so long nothing was added.
SETTLED_SECONDS = 2.0


class Shelf:
    """An engine that takes its completions from a shelf of real solutions, at once."""

    def __init__(self, solutions: dict[str, str]) -> None:
        """Take the solutions.

        Args:
            solutions: Prompt -> the worked solution of its problem.
        """
        self._solutions, self._all = solutions, list(solutions.values())
        self.policy = ""  # digest of the policy that is played

    def choose(self, prompts: Sequence[Prompt], choices: Sequence[str]) -> Weights:
        """Nobody asks: no run of the benches has a judge."""
        raise NotImplementedError

    def sample(
        self,
        prompts: Sequence[Prompt],
        requests: Sequence[tuple[int, int]],
        sampling: Sampling,
        progress: SampleProgress | None = None,
    ) -> Completions:
        """See tasks.generate.engine.Engine; policy and seed decide, so equal requests agree."""
        return Completions(self._complete(str(prompts[number]), seed) for number, seed in requests)

    def close(self) -> None:
        """Nothing was started."""

    def _complete(self, prompt: str, seed: int) -> Completion:
        dice = random.Random(f"{self.policy} {seed}")
        text = self._solutions[prompt]
        if dice.randrange(100) >= RIGHT:
            text = self._all[dice.randrange(len(self._all))]
        return Completion(text, len(text.split()) + 1, "stop")


def make(config: str, changes: list[str]) -> None:
    """Do the whole run with every step called directly; its engine is a `Shelf`."""
    from flows.orchestrator.direct_caller import DirectCaller
    from flows.rest_em.loop import Loop
    from flows.rest_em.summary import report_call

    settings = load_config(config, changes)
    with DirectCaller(settings) as caller:
        shelf: list[Shelf] = []

        def engine(model: ArtifactRef, _settings: object) -> Shelf:
            if not shelf:
                problems = next(ref for group, ref in caller.done if group == "problems")
                shelf.append(_shelf(settings, caller.store.path(problems)))
            shelf[0].policy = model.digest
            return shelf[0]

        caller.runtime.engine = engine
        outcome = Loop(settings, caller).run()
        caller.call(report_call(settings, outcome), settings.iterations, "report")


def _shelf(settings: RestEmConfig, problems: Path) -> Shelf:
    template = load_template(settings.model.prompt)
    rows = [row for split in load_splits(problems).values() for row in split]
    shots = template.shots if settings.model.shots < 0 else settings.model.shots
    return Shelf(
        {template.render(row["question"], shots, row["subject"]): row["solution"] for row in rows}
    )


def find(config: str, changes: list[str]) -> None:
    """Run the flow, all of whose steps should be cached, and print what it took as JSON."""
    from flows.server.local import prefect_server

    settings = load_config(config, changes)
    with prefect_server() as address:
        from flows.rest_em.flow import rest_em

        _print(address, lambda: rest_em(settings))


def bare(count: str) -> None:
    """Run a flow of as many cached tasks that do nothing, and print what it took as JSON.

    Args:
        count: Of tasks.
    """
    from flows.server.local import prefect_server

    with prefect_server() as address:
        from prefect import flow, task
        from prefect.cache_policies import INPUTS

        @task(cache_policy=INPUTS, persist_result=True, result_serializer="json")
        def nothing(number: int) -> Json:
            return {"number": number}

        @flow
        def many() -> None:
            for number in range(int(count)):
                nothing(number)

        _print(address, many)


def _print(address: str, run: Any) -> None:
    """Time a flow, then ask the server how many task runs it has of it."""
    from prefect.client.orchestration import get_client

    started = time.perf_counter()
    run()
    seconds = time.perf_counter() - started
    with get_client(sync_client=True) as client:
        latest = client.read_flow_runs(limit=1, sort=_newest())[0]
    print("\n" + json.dumps({"seconds": seconds, "tasks": _settled(address, str(latest.id))}))


def _newest() -> Any:
    from prefect.client.schemas.sorting import FlowRunSort

    return FlowRunSort.START_TIME_DESC


def _settled(address: str, flow_run: str) -> int:
    """Task runs of a flow run, once their number does not grow any more."""
    body = json.dumps({"flow_runs": {"id": {"any_": [flow_run]}}}).encode()
    before = -1
    while True:
        request = urllib.request.Request(
            f"{address}/task_runs/count",
            body,
            {"Content-Type": "application/json", **authorization(secret_for(address))},
        )
        with urllib.request.urlopen(request) as reply:
            count = json.loads(reply.read())
        if count == before:
            return count
        before = count
        time.sleep(SETTLED_SECONDS)
