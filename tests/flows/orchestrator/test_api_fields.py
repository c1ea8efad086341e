"""Every field of a deployed flow's parameters has a rule for runs from the API."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import pytest
import yaml
from pydantic import BaseModel

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.api_fields import FIELDS
from flows.orchestrator.api_limits import check_config, takes_text
from flows.orchestrator.review import Review
from tasks.errors import UserError
from tasks.paths import ROOT

PREFECT = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))


def forms() -> set[type[BaseModel]]:
    """The models that the parameters of deployed flows are made of, and the form of a review."""
    found: set[type[BaseModel]] = set()
    waiting: list[Any] = [Review]
    for entry in {one["entrypoint"] for one in PREFECT["deployments"]}:
        file, _, name = entry.partition(":")
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        function = inspect.unwrap(getattr(module, name).fn)
        waiting += [kind for at, kind in get_type_hints(function).items() if at != "return"]
    while waiting:
        kind = waiting.pop()
        waiting += get_args(kind)
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in found:
            found.add(kind)
            waiting += [field.annotation for field in kind.model_fields.values()]
    return found


def text_fields() -> Iterator[str]:
    for form in forms():
        for name, field in form.model_fields.items():
            if takes_text(field.annotation):
                yield f"{form.__name__}.{name}"


def test_every_field_that_takes_a_text_has_a_rule_and_no_rule_is_left_over() -> None:
    assert set(text_fields()) == set(FIELDS)


def test_a_field_without_a_rule_is_nobodys_to_set() -> None:
    class Grown(RestEmConfig):
        webhook: str = ""

    with pytest.raises(UserError, match="a run from the API may not set it"):
        check_config(Grown())
