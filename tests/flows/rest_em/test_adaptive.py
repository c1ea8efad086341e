"""`enough` and `hard_samples`: verdicts decide who is sampled further, and nothing else changes."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import pytest

from flows.config.rest_em import load_config
from flows.orchestrator.direct_caller import DirectCaller
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import Draw, Shards
from tasks.policy.step import base_call
from tasks.problems.step import load_splits, problems_call
from tasks.rows import VERDICTS_FILE, read_rows
from tasks.select.step import select_call
from tasks.store.store import ArtifactRef, Store
from tests.small import SMALL

pytestmark = pytest.mark.engine

SAMPLING = {"temperature": 0.7, "top_k": 40, "top_p": 1.0, "max_tokens": 24}
LIMIT = 96  # two blocks of problems, the second one not full
STEP = 2


class Drawn:
    """Draws with these rules into one store, and looks at what there is."""

    def __init__(self, home: Path, draw: Draw) -> None:
        changes = [*SMALL, f"resources.shard_samples={STEP}", "resources.batch_size=64"]
        changes.append("resources.threads=1")  # a second one only spins beside busy neighbours
        self.config = config = load_config("math-demo", changes)
        with DirectCaller(config) as caller:
            self.store: Store = caller.store
            self.problems = caller.call(problems_call(config.data), 0, "problems")
            policy = caller.call(base_call(config.model), 0, "base")
            self.sampler = Sampler(
                caller,
                self.problems,
                load_splits(self.store.path(self.problems)),
                prompt=config.model.prompt,
                engine="transformers",
                dtype="float32",
                execution=config.execution,
                resources=config.resources,
            )
            self.shards: Shards = self.sampler.shards(0, "draw", policy, "train", draw, LIMIT)
            self.selection = caller.call(self._select(draw.adaptive), 1, "select")

    def _select(self, adaptive: bool):
        return select_call(
            "select 1",
            self.config.filter,
            seed=1,
            prompt=self.sampler.template.digest,
            shots=0,
            template=self.sampler.prompt,
            problems=self.problems,
            samples=self.shards.samples,
            verdicts=self.shards.verdicts,
            adaptive=adaptive,
        )

    def samples(self) -> dict[tuple[str, int], str]:
        """Text of each sample by problem and index."""
        return {
            (row["problem_id"], row["index"]): row["text"]
            for ref in self.shards.samples
            for row in read_rows(self.store.path(ref) / "samples.parquet")
        }

    def verdicts(self) -> dict[str, list[bool]]:
        """Of each problem, in the order of the indices, whether a sample is correct."""
        found: dict[str, dict[int, bool]] = defaultdict(dict)
        for ref in self.shards.verdicts:
            for row in read_rows(self.store.path(ref) / VERDICTS_FILE):
                found[row["problem_id"]][row["index"]] = row["status"] == "correct"
        return {name: [by[i] for i in range(len(by))] for name, by in found.items()}

    def counts(self):
        return json.loads((self.store.path(self.selection) / "counts.json").read_text())


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("RESTEM_HOME", str(folder))
        yield folder


@pytest.fixture(scope="module")
def plain(home: Path) -> Drawn:
    return Drawn(home, Draw(SAMPLING, 1, 0, 16))


def test_enough_stops_each_problem_after_the_shard_that_brings_it(home: Path, plain: Drawn) -> None:
    drawn = Drawn(home, Draw(SAMPLING, 1, 0, 8, enough=2))
    everything, lengths = plain.verdicts(), set()
    for name, verdicts in drawn.verdicts().items():
        lengths.add(len(verdicts))
        assert verdicts == everything[name][: len(verdicts)]
        before = verdicts[: len(verdicts) - STEP]
        assert sum(before) < 2  # it had to go on until here
        assert len(verdicts) == 8 or sum(verdicts) >= 2
    assert len(lengths) > 1


def test_hard_samples_go_to_problems_that_nothing_solved(home: Path, plain: Drawn) -> None:
    drawn = Drawn(home, Draw(SAMPLING, 1, 0, 4, hard_samples=16))
    found = {len(verdicts) for verdicts in drawn.verdicts().values()}
    assert {4, 16} <= found
    for verdicts in drawn.verdicts().values():
        assert (len(verdicts) > 4) is not any(verdicts[:4])
        assert not any(verdicts[4:-STEP])  # one that is solved on the way stops there


def test_the_samples_are_those_of_a_plain_draw(home: Path, plain: Drawn) -> None:
    drawn = Drawn(home, Draw(SAMPLING, 1, 0, 8, enough=2))
    everything, mine = plain.samples(), drawn.samples()
    assert set(mine) < set(everything)
    # The last bit of a sum depends on the batch, so one sample in hundreds may differ.
    assert sum(everything[key] != text for key, text in mine.items()) <= 2
    first: set[ArtifactRef] = {part[0][0] for part in drawn.shards.parts}
    assert first <= set(plain.shards.samples)  # not even drawn again


def test_the_accuracy_is_told_from_the_samples_that_every_problem_has(
    home: Path, plain: Drawn
) -> None:
    drawn = Drawn(home, Draw(SAMPLING, 1, 0, 8, enough=2))
    first = [verdict for verdicts in plain.verdicts().values() for verdict in verdicts[:STEP]]
    assert drawn.counts()["first"] == {"samples": LIMIT * STEP, "correct": sum(first)}
    assert "first" not in plain.counts()
