"""A dry run of each shipped configuration by preferences names the steps of its method."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.config.rest_em import load_config
from flows.estimate.plan import plan

# Any model can stand for a judge in a plan; so these tests need no judge to be trained.
JUDGE = "embedded:tiny-math"
# Configuration, changes, steps of its first iteration that there are, and that there are not.
CASES = [
    ("notes-demo", (), {"judge", "compare draw", "fit", "rate draw"}, {"prompts"}),
    ("rlaif", (), {"judge", "compare draw", "fit", "rate draw"}, {"select"}),
    ("rlhf", (), {"compare draw", "fit", "rate draw"}, {"judge", "select"}),
    ("rlaif-direct", (), {"judge", "rate draw"}, {"compare draw", "fit"}),
    ("rest-rm", (), {"compare draw", "fit", "rate draw"}, {"judge", "prompts"}),
    ("self-rewarding", ("model.base=embedded:tiny-notes",), {"rate draw"}, {"judge", "fit"}),
]


@pytest.mark.parametrize(
    ("name", "changes", "there", "not_there"), CASES, ids=[case[0] for case in CASES]
)
def test_a_plan_has_the_steps_of_its_method(
    name: str, changes: tuple[str, ...], there: set[str], not_there: set[str], home: Path
) -> None:
    judged = load_config(name).judge.model not in ("", "policy")
    judge = (f"judge.model={JUDGE}",) if judged else ()
    small = ("data.train_limit=20", "data.test_limit=10", "data.validation=5")
    found = plan(load_config(name, [*small, *changes, *judge]))
    steps = {step for number, step in found.groups if number == 0}
    assert there <= steps
    assert not not_there & steps
    assert "finetune" in {step for number, step in found.groups if number == 1}
    assert not found.warnings
