"""docs/extending.md is true: applied to a copy of the repository, all that it adds works there."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import groupby, islice
from pathlib import Path
from typing import Any, get_args

import pytest

from flows.config.rest_em import load_config
from flows.study.config import load_study
from tasks.errors import UserError
from tasks.finetune.objectives import OBJECTIVES
from tasks.problems import synthetic_math
from tasks.problems.loading import LOADERS
from tasks.rows import read_rows
from tasks.score.rewards import rewards_of
from tasks.select.selectors import SELECTORS
from tasks.settings import DataSet, FilterSettings, FinetuneSettings
from tests.flows.conftest import ROOT, Restem

PAGE = ROOT / "docs" / "extending.md"
PARTS = ("restem", "flows", "tasks", "sandbox", "configs", "models/tiny-math")
TINY = (
    "iterations=1",
    "evaluation.samples=0",
    "evaluation.train_problems=0",
    "resources.threads=1",
)
# All rows in one forward pass, so that the first loss is that of the start model on all of them.
TOGETHER = ("finetune.batch_size=64", "resources.train_batch_size=64", "finetune.warmup=0")
# Files of one's own, beside the copy and not in it.
OWN = "marbles"
EXTENDED = (
    f"data.train=../{OWN}/problems.py:marbles",
    *("data.validation=16", f"filter.score=../{OWN}/reward.py:brief", "filter.min_reward=0.5"),
    *("filter.weight=reward", f"filter.select=../{OWN}/selector.py:shortest"),
    "finetune.improve=even",
)


def blocks(kind: str) -> list[str]:
    """The page's code of a language, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def flags(*changes: str) -> list[str]:
    return [part for change in changes for part in ("--set", change)]


def apply(folder: Path, change: str, *options: str) -> None:
    subprocess.run(
        ["git", "apply", *options],
        cwd=folder,
        # Inside a checkout git would look for the files at its root.
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "GIT_CEILING_DIRECTORIES": str(folder.parent)},
        input=change.encode(),
        check=True,
    )


@pytest.fixture(scope="module")
def extended(server: str, tmp_path_factory: pytest.TempPathFactory) -> Restem:
    """The command line of a copy to which the page is applied."""
    copy = tmp_path_factory.mktemp("extended") / "restem"
    for part in PARTS:
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
    for change in blocks("diff"):
        apply(copy, change, "--check")  # each by itself, whichever recipes one follows
    for change in blocks("diff"):
        apply(copy, change)
    for text in blocks("python"):
        name = text.splitlines()[0].removeprefix("# ")
        path = (copy.parent if name.startswith(f"{OWN}/") else copy) / name
        assert not path.exists()
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return Restem(copy.parent / "home", server, copy)


@pytest.fixture(scope="module")
def run(extended: Restem, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with the new data set, reward, selector and improver."""
    source = tmp_path_factory.mktemp("data") / "marbles.jsonl"
    with source.open("w") as file:
        for split, count in (("train", 56), ("test", 24)):
            for problem in islice(synthetic_math.sum_stream(split, seed=7), count):
                story, ask = problem.question.split(". ")
                total = problem.sum.totals[-1]
                line = {"story": f"{story}.", "ask": ask, "total": total, "split": split}
                file.write(json.dumps(line) + "\n")
    extended("run", "math-demo", *flags(*TINY, *TOGETHER, *EXTENDED, f"data.source={source}"))
    return Run(extended)


class Run:
    """What the steps of the latest run made."""

    def __init__(self, restem: Restem) -> None:
        self._store = restem.home / "store"
        self._steps = restem.status()["steps"]

    def folders(self, step: str) -> list[Path]:
        return [self._store / one["artifact"] for one in self._steps if one["step"] == step]

    def rows(self, step: str, file: str) -> list[dict[str, Any]]:
        return [row for folder in self.folders(step) for row in read_rows(folder / file)]

    @property
    def drawn(self) -> list[tuple[dict[str, Any], dict[str, Any]]]:
        """The samples drawn for training with their verdicts, problem by problem."""
        samples = self.rows("generate draw", "samples.parquet")
        verdicts = self.rows("score draw", "verdicts.parquet")
        places = [[(row["problem_id"], row["index"]) for row in one] for one in (samples, verdicts)]
        assert places[0] == places[1]
        return list(zip(samples, verdicts, strict=True))


def test_the_new_data_set_is_trained_on(run: Run) -> None:
    problems = {row["id"]: row for row in run.rows("problems", "problems.parquet")}
    assert {row["problem_id"] for row, _ in run.drawn} == {
        name for name, row in problems.items() if row["split"] == "train"
    }
    assert len(problems) == 56 + 24
    rows = run.rows("select", "rows.parquet")
    assert rows
    for row in rows:
        assert row["problem_id"].startswith("marbles/train/")
        assert problems[row["problem_id"]]["question"] in row["prompt"]


def test_the_new_reward_prefers_short_solutions_and_metrics_do_not_see_it(run: Run) -> None:
    right = []
    for sample, verdict in run.drawn:
        if verdict["status"] == "correct":
            right.append((len(sample["text"]), verdict["reward"]))
            assert 0.5 <= verdict["reward"] < 1
        else:
            assert verdict["reward"] == 0
    by_length = sorted(set(right))
    lengths, rewards = zip(*by_length, strict=True)
    assert len(set(lengths)) == len(by_length) > 3  # a length has one reward
    assert list(rewards) == sorted(set(rewards), reverse=True)
    measured = [*run.rows("score test", "verdicts.parquet")]
    assert {row["reward"] for row in measured} == {0, 1}
    assert all((row["status"] == "correct") == row["reward"] for row in measured)


def test_the_page_combines_rewards_as_it_says(tmp_path: Path) -> None:
    (text,) = blocks("toml")
    (tmp_path / "run.toml").write_text(text)
    (brief,) = [one for one in blocks("python") if one.startswith(f"# {OWN}/reward.py")]
    (tmp_path / "reward.py").write_text(brief)
    (tmp_path / "style.py").write_text("def polite(completion): ...\n")
    rewards = rewards_of(load_config(tmp_path / "run.toml").filter)
    assert rewards is not None
    assert rewards.combined([1.0, 0.5, 0.2]) == pytest.approx((2 * 0.5 + 0.2) / 3)
    assert rewards.combined([0.0, 0.5, 0.2]) == 0.0


def test_the_new_selector_keeps_the_shortest_solution_of_a_problem(run: Run) -> None:
    kept = {row["problem_id"]: row for row in run.rows("select", "rows.parquet")}
    assert len(kept) == len(run.rows("select", "rows.parquet"))
    choices = 0
    for name, group in groupby(run.drawn, key=lambda one: one[0]["problem_id"]):
        right = [
            sample["text"]
            for sample, verdict in group
            if verdict["status"] == "correct" and sample["finish"] == "stop"
        ]
        assert bool(right) == (name in kept)
        if right:
            assert kept[name]["completion"] in right
            assert len(kept[name]["completion"]) == min(map(len, right))
        choices += len({len(text) for text in right}) > 1
    assert choices  # there was something to choose
    (counts,) = [json.loads((one / "counts.json").read_text()) for one in run.folders("select")]
    dropped = sum(value for rule, value in counts.items() if rule.startswith("dropped"))
    assert dropped + counts["kept"] == counts["samples"] == len(run.drawn)


def test_the_new_improver_weighs_solutions_and_not_tokens(run: Run) -> None:
    import torch
    from transformers import AutoTokenizer

    from tasks.decoding.tokens import completion_ids, end_id, prompt_ids
    from tasks.finetune.load_model import load_plain

    (folder,) = run.folders("finetune")
    facts = json.loads((folder / "training.json").read_text())
    first, second = [one["loss"] for one in facts["history"] if "loss" in one]
    assert second < first
    start = ROOT / "models" / "tiny-math"
    tokenizer, model = AutoTokenizer.from_pretrained(start), load_plain(str(start))
    rows = run.rows("select", "rows.parquet")
    assert facts["rows"] == len(rows)
    losses, weights = [], []
    for row in rows:
        (prompt,) = prompt_ids(tokenizer, [row["prompt"]])
        (completion,) = completion_ids(tokenizer, [row["completion"]])
        ids = torch.tensor([*prompt, *completion, end_id(tokenizer)])
        with torch.no_grad():
            logits = model(input_ids=ids[None]).logits[0, len(prompt) - 1 : -1]
        losses.append(
            torch.nn.functional.cross_entropy(logits, ids[len(prompt) :], reduction="none")
        )
        weights.append(row["weight"])
    even = sum(w * loss.mean() for w, loss in zip(weights, losses, strict=True)) / len(rows)
    plain = sum(w * loss.sum() for w, loss in zip(weights, losses, strict=True))
    plain = plain / sum(len(loss) for loss in losses)
    assert first == pytest.approx(float(even), rel=1e-4)
    assert first != pytest.approx(float(plain), rel=1e-2)


def test_the_new_study_runs_and_measures_its_claims(extended: Restem) -> None:
    (text,) = [text for text in blocks("python") if text.startswith("# flows/study/named/")]
    assert len(text.splitlines()) <= 60
    small = ("data.train_limit=32", "data.validation=8", "data.test_limit=24", "finetune.checks=0")
    changes = flags(*TINY, *small, "sampling.samples=4", "evaluation.transfer=[]")
    said = extended(
        *("study", "temperature", "--config", "study-math", "--seeds", "1", *changes, "--json")
    )
    (one,) = json.loads(said[said.index('{"run"') :].splitlines()[0])["studies"]
    assert [claim["mean"]["problems"] for claim in one["claims"]] == [1, 1]
    # Three temperatures are three draws.
    drawn = [step for step in extended.status()["steps"] if step["step"] == "generate draw"]
    assert one["account"]["samples"]["made"] >= 3 * 32 * 4
    assert drawn and all(step["state"] == "Completed" for step in drawn)


@pytest.mark.parametrize(
    "change",
    ["data.train=marbles", "filter.score=brief", "filter.select=shortest", "finetune.improve=even"],
)
def test_without_the_page_a_new_name_is_refused_in_one_line(change: str) -> None:
    field, _, name = change.partition("=")
    with pytest.raises(UserError, match=re.escape(field)) as caught:
        load_config("math-demo", [change])
    assert name in str(caught.value) and "\n" not in str(caught.value)


def test_without_the_page_there_is_no_such_study() -> None:
    with pytest.raises(UserError, match="temperature: expected all or one of"):
        load_study("temperature", ["study-math"], 1, "", [])


def test_every_name_of_a_field_is_in_its_table() -> None:
    def names(section: Any, field: str) -> set[str]:
        return set(get_args(section.model_fields[field].annotation))

    assert set(get_args(DataSet)) == {"file", *LOADERS}
    assert set(FilterSettings.CHOICES["select"].names) == set(SELECTORS)
    assert names(FinetuneSettings, "improve") == set(OBJECTIVES)
