"""The configuration: every shipped file parses, every mistake is one line that names the field."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel

from flows.config.read import parse
from flows.config.rest_em import RestEmConfig, load_config
from tasks.errors import UserError
from tasks.paths import CONFIGS


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda p: p.stem)
def test_every_shipped_configuration_parses(path: Path) -> None:
    assert load_config(path).name == path.stem


def fields(model: type[BaseModel], prefix: str = "") -> list[tuple[str, object]]:
    found = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found += fields(kind, f"{name}.")
        else:
            found.append((prefix + name, field))
    return found


@pytest.mark.parametrize(
    "name,field", fields(RestEmConfig), ids=lambda v: v if isinstance(v, str) else ""
)
def test_every_field_has_a_description_and_numbers_have_bounds(name: str, field: object) -> None:
    assert len(getattr(field, "description", None) or "") > 10, name
    if getattr(field, "annotation", None) in (int, float):
        limits = {type(item).__name__ for item in getattr(field, "metadata", [])}
        assert limits & {"Ge", "Gt"}, name


def test_defaults_are_the_papers() -> None:
    config = RestEmConfig()
    assert (config.sampling.samples, config.sampling.temperature, config.sampling.top_k) == (
        32,
        0.7,
        40,
    )
    assert (config.filter.cap, config.finetune.start_from, config.iterations) == (10, "base", 3)
    assert (config.evaluation.temperature, config.evaluation.top_p) == (1.0, 0.95)


@pytest.mark.parametrize(
    "change,names",
    [
        ("sampling.samples=0", "sampling.samples"),
        ("sampling.samples=lots", "sampling.samples"),
        ("sampling.sample=8", "sampling.sample: no such field"),
        ("nonsense=1", "nonsense: no such field"),
        ("sampling", "expected key=value"),
        ("=3", "expected key=value"),
        ("name.deep=3", "name is not a section"),
        ("name=Not A Slug", "name"),
        ("data.train=imagenet", "data.train"),
        ("evaluation.pass_k=[1,99]", "evaluation"),
        ('evaluation.transfer_sources.gsm8k="a/b@v1"', "evaluation: transfer_sources: gsm8k"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_field(change: str, names: str) -> None:
    with pytest.raises(UserError) as caught:
        load_config("math-demo", [change])
    assert names in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "field,given,default",
    [
        ("model.system", '"Be brief."', '""'),
        ("model.thinking", "off", "default"),
        ("filter.thinking", "drop", "keep"),
    ],
)
def test_a_setting_of_chats_is_in_keys_and_reports_where_it_is_given_alone(
    field: str, given: str, default: str
) -> None:
    plain, same, other = (
        load_config("math-demo", changes)
        for changes in ([], [f"{field}={default}"], [f"{field}={given}"])
    )
    section, _, name = field.partition(".")
    assert plain.run_id == same.run_id != other.run_id
    assert plain == same
    for told in (lambda one: one.recipe(), lambda one: one.described()):
        assert name not in told(getattr(plain, section))
        assert name in told(getattr(other, section))


def test_where_a_transfer_benchmark_lies_is_in_keys_where_it_is_given_alone(tmp_path: Path) -> None:
    named = 'evaluation.transfer=["gsm8k"]'
    given = 'evaluation.transfer_sources={gsm8k="openai/gsm8k@v1"}'
    plain, same, other = (
        load_config("math-demo", [named, *more])
        for more in ([], ["evaluation.transfer_sources={}"], [given])
    )
    assert plain.run_id == same.run_id != other.run_id
    for told in (lambda one: one.recipe(), lambda one: one.described()):
        assert "transfer_sources" not in told(plain.evaluation)
        assert told(other.evaluation)["transfer_sources"] == {"gsm8k": "openai/gsm8k@v1"}


def test_a_missing_file_lists_what_is_shipped() -> None:
    with pytest.raises(UserError, match="math-demo"):
        load_config("no-such-config")


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("a = = 1")
    with pytest.raises(UserError, match=r"broken\.toml: not TOML"):
        load_config(path)


def test_resources_and_name_do_not_change_what_a_run_is() -> None:
    raw = RestEmConfig().model_dump()
    same = parse(RestEmConfig, raw | {"resources": {"batch_size": 7}}, "test")
    other = parse(RestEmConfig, raw | {"seed": 2}, "test")
    assert same.run_id == RestEmConfig().run_id != other.run_id


def test_values_are_toml_and_bare_words_are_text() -> None:
    config = load_config(
        "math-demo", ["evaluation.pass_k=[1,2]", "filter.dedup=none", "finetune.packing=false"]
    )
    assert config.evaluation.pass_k == [1, 2]
    assert config.filter.dedup == "none" and config.finetune.packing is False
