"""A reward model from a preference set: a file of pairs whose texts nobody sampled here."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from tasks.compare.preference_set import preference_set_call
from tasks.dag.step import perform
from tasks.fit.results import FitFacts
from tasks.fit.step import fit_call
from tasks.paths import MODELS
from tasks.policy.step import base_call
from tasks.prompts import PromptChoice, load_template
from tasks.settings import ModelSettings, Resources
from tasks.settings.judge import JudgeSettings
from tasks.settings.reward import RewardSettings
from tasks.store.manifest import ArtifactRef
from tests.tasks.hub.hub_parts import Home

pytestmark = pytest.mark.engine
REWARD = RewardSettings(
    by="model", learning_rate=1e-3, batch_size=16, max_length=128, held_out=0.3, checks=2
)


def larger_is_better(folder: Path) -> Path:
    """Pairs of answers to like questions, of which the larger one is preferred."""
    draw = random.Random(0)
    file = folder / "pairs.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for n in range(160):
            low, high = sorted(draw.sample(range(10), 2))
            row = {"question": f"Ann has {n} caps. How many?", "better": draw.choice("AB")}
            sides = (high, low) if row["better"] == "A" else (low, high)
            row |= {"answer_1": f"#### {sides[0]}", "answer_2": f"#### {sides[1]}"}
            out.write(json.dumps(row) + "\n")
    return file


def fitted(home: Home, source: Path) -> ArtifactRef:
    home.runtime.isolate = False
    home.runtime.resources = Resources(threads=1, device="cpu", train_batch_size=16)
    judge = JudgeSettings(labels="people", source=str(source))
    own = perform(preference_set_call(judge, 1), home.runtime)
    model = ModelSettings(base=str(MODELS / "tiny-math"), prompt="tiny_math")
    start = perform(base_call(model), home.runtime)
    template = PromptChoice("tiny_math")
    call = fit_call(
        "fit",
        REWARD,
        seed=1,
        prompt=load_template(template).digest,
        shots=0,
        template=template,
        problems=own,
        start=start,
        preferences=[own],
        samples=[own],
    )
    return perform(call, home.runtime)


def test_it_learns_what_the_file_prefers(tmp_path: Path) -> None:
    home = Home(tmp_path)
    facts = FitFacts.read(home.store.path(fitted(home, larger_is_better(tmp_path))))
    assert facts.pairs + facts.held_out == 160
    assert facts.dropped_long == facts.unlabelled == 0
    assert facts.accuracy is not None and facts.accuracy > 0.9
