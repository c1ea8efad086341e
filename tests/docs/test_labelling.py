"""docs/labelling.md is true: what it shows is read as it says, and said in its words."""

from __future__ import annotations

import json
import re
import shlex
import tomllib

import pytest

from flows.config.rest_em import RestEmConfig, load_config
from tasks.compare.pair_columns import LABELS, USUAL_NAMES, find_pair_columns
from tasks.compare.pair_texts import read_pair
from tasks.compare.people import parse_labels
from tasks.errors import UserError
from tasks.paths import ROOT
from tasks.problems.source import Record
from tasks.settings.judge import JudgeSettings

PAGE = (ROOT / "docs" / "labelling.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_line_of_labels_is_one() -> None:
    (line,) = blocks("json")
    (label,) = parse_labels(line.encode(), "labels.jsonl")
    assert (label.who, label.p) == ("ann", 1.0)


def test_the_run_is_a_run() -> None:
    words = shlex.split(blocks("bash")[0])
    assert words[:3] == ["restem", "run", "notes-demo"] and set(words[3::2]) == {"--set"}
    config = load_config("notes-demo", words[4::2])
    assert (config.judge.source, config.reward.by) == ("labels.jsonl", "model")


@pytest.mark.parametrize("text", blocks("toml"))
def test_the_configurations_are_read(text: str) -> None:
    raw = tomllib.loads(text)
    if "name" in raw:
        assert RestEmConfig.model_validate(raw).judge.limit == 20000
    else:
        columns = JudgeSettings.model_validate(raw["judge"]).columns
        row = {
            "info": {"post": "a?"},
            "summaries": [{"text": "yes"}, {"text": "no"}],
            "choice": 1,
        }
        found, records = find_pair_columns(iter([Record(row, "f", 1)]), columns, "f")
        pair = read_pair(next(records), found)
        assert (pair.question, pair.first, pair.second, pair.p) == ("a?", "yes", "no", 0.0)


def test_usual_names_are_those_of_the_code() -> None:
    (said,) = re.findall(r"^Usual names are found(.*?)stands in the note", PAGE, re.M | re.S)
    named = set(re.findall(r"`(\w+)`", said))
    assert set(USUAL_NAMES["question"]) <= named
    known = {name for role in ("question", *LABELS) for name in USUAL_NAMES[role]}
    answers = {"response_1", "response_2", "answer_a", "answer_b"}
    assert named - answers <= known


def test_the_mistake_is_said_in_these_words() -> None:
    (said,) = re.findall(r"^restem: (pairs\.jsonl .*)$", PAGE, re.MULTILINE)
    row = {"prompt": "a", "first": "b", "second": "c", "better": "left"}
    columns = JudgeSettings().columns
    found, records = find_pair_columns(
        iter([Record(row, "pairs.jsonl", 2)]), columns, "pairs.jsonl"
    )
    with pytest.raises(UserError) as caught:
        read_pair(next(records), found)
    assert str(caught.value) == said
    assert json.dumps("left") in said
