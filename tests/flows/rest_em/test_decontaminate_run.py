"""Training problems that overlap the test set are never sampled, and the run says so."""

from __future__ import annotations

import csv
from itertools import islice
from pathlib import Path

import pytest

from flows.config.rest_em import RestEmConfig, load_config
from flows.estimate.plan import plan
from flows.estimate.stages import stages_of_plan
from flows.orchestrator.direct_caller import DirectCaller
from flows.rest_em.iterations import LoopResult
from flows.rest_em.loop import Loop
from tasks.problems import synthetic_math
from tasks.rows import read_rows
from tasks.select.results import SelectionCounts
from tasks.store.store import Store
from tests.small import SMALLEST

pytestmark = pytest.mark.engine

# Two shards of eight training problems, one of which has two that overlap.
TRAIN, TEST, BLOCK = 16, 6, 8
QUIET = (
    *("iterations=1", "resources.threads=1", "resources.batch_size=64", "finetune.epochs=1"),
    *("evaluation.train_problems=0", f"resources.shard_problems={BLOCK}", "model.shots=0"),
)


def config_of(path: Path, *changes: str) -> RestEmConfig:
    own = ("data.train=file", f"data.source={path}", "data.validation=0", "data.train_limit=0")
    return load_config("math-demo", [*SMALLEST, *own, *QUIET, *changes])


@pytest.fixture(scope="module")
def problems(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sums, the first two of which are test problems too."""
    sums = list(islice(synthetic_math.sum_stream("train", seed=11), TRAIN + TEST))
    train, test = sums[:TRAIN], [*sums[:2], *sums[TRAIN:]]
    return write(tmp_path_factory.mktemp("own") / "sums.csv", train, test)


def write(
    path: Path, train: list[synthetic_math.SumProblem], test: list[synthetic_math.SumProblem]
) -> Path:
    """A data set; test questions are in capitals, for the very same ones are refused."""
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "question", "answer", "split"])
        for split, some in (("train", train), ("test", test)):
            for number, one in enumerate(some):
                question = one.question.upper() if split == "test" else one.question
                writer.writerow([f"{split}{number}", question, one.sum.totals[-1], split])
    return path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("home")
        patch.setenv("RESTEM_HOME", str(folder))
        yield folder


class Ran:
    """A run, straight in this process."""

    def __init__(self, config: RestEmConfig) -> None:
        with DirectCaller(config) as caller:
            self.outcome: LoopResult = Loop(config, caller).run()
            self.store: Store = caller.store

    @property
    def drawn(self) -> list[str]:
        """Problem of each sample drawn to train on."""
        refs = self.outcome.iterations[0].drawn.samples
        return [
            row["problem_id"]
            for ref in refs
            for row in read_rows(self.store.path(ref) / "samples.parquet")
        ]

    @property
    def counts(self) -> SelectionCounts:
        ref = self.outcome.iterations[0].selection
        assert ref is not None
        return SelectionCounts.read(self.store.path(ref))

    @property
    def overlapping(self) -> set[str]:
        """Ids of the training problems that are test problems too."""
        rows = list(read_rows(self.store.path(self.outcome.problems) / "problems.parquet"))
        tested = {row["question"] for row in rows if row["split"] == "test"}
        both = [
            row for row in rows if row["split"] == "train" and row["question"].upper() in tested
        ]
        return {row["id"] for row in both}

    def rows(self) -> list[tuple[str, int, str]]:
        """The training rows."""
        ref = self.outcome.iterations[0].selection
        assert ref is not None
        found = read_rows(self.store.path(ref) / "rows.parquet")
        return [(row["problem_id"], row["index"], row["completion"]) for row in found]


@pytest.fixture(scope="module")
def clean(home: Path, problems: Path) -> Ran:
    return Ran(config_of(problems))


@pytest.fixture(scope="module")
def dirty(home: Path, problems: Path) -> Ran:
    return Ran(config_of(problems, "filter.decontaminate_ngram=0"))


def test_problems_that_overlap_are_not_sampled(clean: Ran) -> None:
    assert len(clean.overlapping) == 2
    assert not clean.overlapping & set(clean.drawn)
    assert len(set(clean.drawn)) == TRAIN - 2


def test_the_counts_still_tell_of_them(clean: Ran) -> None:
    assert clean.counts.problems_contaminated == 2
    assert clean.counts.dropped_contaminated == 0
    assert clean.counts.problems == TRAIN - 2


def test_the_run_says_how_many_there_are(clean: Ran, dirty: Ran) -> None:
    said = (
        f"2 of {TRAIN} training problems share 13 words in a row with a test problem, or are one "
        "(filter.decontaminate_ngram), and are not sampled"
    )
    assert said in clean.outcome.warnings
    assert said not in dirty.outcome.warnings


def test_where_it_is_off_all_are_sampled(dirty: Ran) -> None:
    assert len(set(dirty.drawn)) == TRAIN
    assert dirty.counts.problems_contaminated == 0


def test_the_rows_are_those_of_dropping_them_after(clean: Ran, dirty: Ran) -> None:
    kept = [row for row in dirty.rows() if row[0] not in clean.overlapping]
    assert clean.rows() == kept and kept


def test_shards_without_overlap_have_the_key_that_they_had(clean: Ran, dirty: Ran) -> None:
    mine, others = (set(one.outcome.iterations[0].drawn.samples) for one in (clean, dirty))
    shared = mine & others
    assert 0 < len(shared) < len(mine)
    for ref in shared:
        rows = read_rows(clean.store.path(ref) / "samples.parquet")
        assert not {row["problem_id"] for row in rows} & clean.overlapping


def test_the_plan_counts_what_will_be_sampled(
    problems: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_HOME", str(tmp_path))
    caller = plan(config_of(problems))
    (draw,) = [s for s in stages_of_plan(caller.to_do, 1) if s.name == "draw"]
    assert draw.samples == (TRAIN - 2) * 4
    assert any("are not sampled" in text for text in caller.warnings)


def test_where_all_overlap_the_loop_ends_and_says_why(home: Path, tmp_path: Path) -> None:
    sums = list(islice(synthetic_math.sum_stream("train", seed=12), 3))
    ran = Ran(config_of(write(tmp_path / "all.csv", sums, sums)))
    assert ran.drawn == [] and len(ran.outcome.iterations) == 1
    assert any(text.startswith("3 of 3 training problems") for text in ran.outcome.warnings)
