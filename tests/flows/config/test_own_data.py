"""The settings of problems of one's own: what they ask for, what is refused, and the form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flows.config.rest_em import load_config
from flows.orchestrator.allowed_paths import check_places
from flows.station.deployments import form_of, full_parameters
from flows.study.config import task_of_config
from tasks.errors import UserError
from tasks.settings import DataSettings

OWN = ["data.train=file", "data.source=/srv/a.csv"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (["data.train=file"], "data: source: expected a file, a folder or a Hub id"),
        (["data.test=file"], "data: test_source: expected a file, a folder or a Hub id"),
        (["data.more=[{}]"], "data.more.0: source: expected a file, a folder or a Hub id"),
        (["data.domain=code"], "data: domain: it is for problems of your own; expected data.train"),
        (["data.columns.question=q"], "data: columns: it is for problems of your own"),
        ([*OWN, "data.columns.frage=q"], "data.columns.frage: no such field"),
        ([*OWN, "data.domain=proofs"], "data.domain: Input should be 'math', 'text', 'choice' or"),
        ([*OWN, "data.test_share=1"], "data.test_share: Input should be less than 1"),
        (['data.more=[{source="a.csv", weight=0}]'], "data.more.0.weight: Input should be greater"),
        ([*OWN, "filter.score=tests"], "filter.score: tests is a reward of programs"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_field(changes: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config("math-demo", changes)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_nothing_of_it_stands_in_a_key_where_it_is_not_used() -> None:
    recipe = DataSettings(train="gsm8k").recipe()
    assert set(recipe) == {
        *("train", "test", "source", "test_source", "train_limit", "test_limit", "validation"),
        *("seed", "level", "difficulty"),
    }


@pytest.mark.parametrize(
    ("changes", "sandbox"),
    [
        (OWN, False),
        ([*OWN, "data.domain=code"], True),
        (['data.more=[{source="a.csv", domain="code"}]'], True),
        (['data.more=[{train="apps"}]'], True),
        (["data.test=file", "data.test_source=a.csv", "data.domain=code"], True),
        (['data.more=[{source="a.csv", domain="text"}]'], False),
    ],
)
def test_programs_of_any_set_need_the_sandbox(changes: list[str], sandbox: bool) -> None:
    assert (load_config("math-demo", changes).sandbox is not None) is sandbox


def test_programs_of_ones_own_are_the_code_of_a_study() -> None:
    assert task_of_config(load_config("math-demo", [*OWN, "data.domain=code"])) == "code"
    assert task_of_config(load_config("math-demo", OWN)) == "math"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        (OWN, "data.source"),
        ([*OWN, "data.source=a/b", "data.test_source=b.tsv"], "data.test_source"),
        (['data.more=[{source="a.csv.gz"}]'], "data.more.0.source"),
        (['data.more=[{train="gsm8k"}, {source="~/a.parquet"}]'], "data.more.1.source"),
    ],
)
def test_a_run_from_the_api_names_allowed_files_alone(
    changes: list[str], field: str, home: Path
) -> None:
    with pytest.raises(UserError, match=f"^{field}: "):
        check_places(load_config("math-demo", changes).places)


def test_a_file_below_an_allowed_folder_may_be_named(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTEM_PATHS", str(tmp_path / "data"))
    more = f'data.more=[{{source="{tmp_path}/data/b.csv"}}]'
    changes = ["data.train=file", f"data.source={tmp_path}/data/a.csv", more]
    check_places(load_config("math-demo", changes).places)


def test_the_form_has_flat_fields_with_words_and_choices() -> None:
    """The UI shows a union as unnamed forms, and a field without a description as its name."""
    entrypoint = "flows/rest_em/flow.py:rest_em"
    form = form_of(entrypoint, full_parameters(entrypoint, {}))["definitions"]
    own = {
        name: form[name]["properties"] for name in ("DataSettings", "MoreData", "ColumnSettings")
    }
    fields: list[tuple[str, dict[str, Any]]] = [
        (f"{section}.{name}", field)
        for section, some in own.items()
        for name, field in some.items()
    ]
    for name, field in fields:
        assert not {"anyOf", "oneOf", "allOf"} & field.keys(), name
        assert len(field.get("description", field.get("title", ""))) > 6, name
    assert own["DataSettings"]["domain"]["enum"] == ["math", "text", "choice", "code"]
    assert own["DataSettings"]["train"]["examples"][0] == "file"
