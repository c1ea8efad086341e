"""What people labelled is looked at before a run samples anything, and refused in a line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.config.rest_em import load_config
from flows.rest_em.rated import Rewarder
from tasks.errors import UserError

NOTHING: Any = None
LABEL = '{"problem": "a", "first": 0, "second": 1, "p": 1}\n'
PAIR = '{"prompt": "a", "chosen": "b", "rejected": "c"}\n'
PREFERENCES = ("finetune.improve=dpo", "finetune.pairs=preferences", "filter.select=threshold")
# Name, what the file has (none where it is not there), changes, and what is said.
WRONG: dict[str, tuple[str | None, tuple[str, ...], str]] = {
    "no file": (None, ("judge.source=FILE",), "judge.source: 'FILE' is not there; expected a file"),
    "a wrong label": (
        LABEL + LABEL.replace("1}", "2}"),
        ("judge.source=FILE",),
        "FILE line 2: field 'p': expected a number from 0 to 1",
    ),
    "a wrong reference": (
        LABEL + "{\n",
        ("judge.labels=oracle", "judge.reference=FILE"),
        "FILE line 2: expected a JSON object",
    ),
    "no reference": (
        None,
        ("judge.labels=oracle", "judge.reference=FILE"),
        "judge.reference: FILE: No such file or directory; expected a file of labels",
    ),
    "a set to train on": (
        PAIR,
        ("judge.source=FILE", "reward.by=checker", *PREFERENCES),
        "judge.source: a preference set is for the fit of a reward model",
    ),
    "a set with a reference": (
        PAIR,
        ("judge.source=FILE", "judge.reference=people"),
        "judge.reference: pairs of a preference set are of other texts",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_said_in_a_line(case: str, tmp_path: Path) -> None:
    content, changes, said = WRONG[case]
    file = tmp_path / "labels.jsonl"
    if content is not None:
        file.write_text(content)
    given = ["judge.labels=people", *(one.replace("FILE", str(file)) for one in changes)]
    config = load_config("notes-demo", given)
    rewarder = Rewarder(config, NOTHING, NOTHING, NOTHING)  # it comes to no step
    with pytest.raises(UserError) as caught:
        rewarder.prepare()
    assert str(caught.value).startswith(said.replace("FILE", str(file)))


@pytest.mark.parametrize(
    "changes",
    [
        ("judge.labels=people", "judge.source=FILE"),
        ("judge.labels=oracle", "judge.reference=FILE"),
        ("judge.labels=oracle", "judge.reference=people"),
        ("judge.labels=oracle",),
    ],
)
def test_what_is_right_is_read_and_no_step_is_called(
    changes: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "labels.jsonl"
    file.write_text(LABEL)
    config = load_config("notes-demo", [one.replace("FILE", str(file)) for one in changes])
    Rewarder(config, NOTHING, NOTHING, NOTHING).prepare()
