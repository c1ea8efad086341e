"""The check of a flow's parameters in a run from the API, by the rules of `api_fields`.

A refusal is one line with the field's name. It is the flow's failure, as Prefect's UI shows it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel

from flows.orchestrator.allowed_paths import (
    PACKAGE,
    allowed_package,
    allowed_place,
    allowed_store,
    check_addresses,
    check_functions,
    check_places,
)
from flows.orchestrator.api_fields import FIELDS, Rule
from flows.orchestrator.deployed import deployed
from tasks.errors import UserError
from tasks.generate.hosted.service import hosted_addresses
from tasks.settings import HOSTED, IMPORTED
from tasks.settings.filter import SCORE, SELECT
from tasks.settings.problems import TEST, TRAIN
from tasks.settings.vllm_args import not_for_anybody, parse_vllm_args

EMBEDDED = "embedded:"
# The engine of Prefect sets it in the process of a flow run that the server had started.
_STARTED = "PREFECT__FLOW_RUN_ID"
_WORD = re.compile(r"(?!\.)[\w.-]*")
# Names of branches and configurations; they become parts of addresses at the Hub.
_HUB_NAME = re.compile(r"(?!.*\.\.)[\w. +:\[\]%/-]*")

_TEXTS = (str, bytes, Path, Any, object, dict, list)
_OUR_NAMES = {
    "train": TRAIN.names,
    "test": TEST.names,
    "score": SCORE.names,
    "reward": SCORE.names,
    "select": SELECT.names,
}

_Config = TypeVar("_Config", bound=BaseModel)


def from_api() -> bool:
    """Whether this process was started for a flow run of a server, as those of the API are."""
    return bool(os.environ.get(_STARTED))


def check_config(config: BaseModel) -> None:
    """See that a configuration names nothing that a run from the API may not.

    Raises:
        UserError: naming the field, what it has, and what is allowed.
    """
    for field, rule, text in named_texts(config):
        if text:
            _CHECKS[rule](field, text)


def checked(config: _Config) -> _Config:
    """What a flow goes on with: of a run from the API a configuration that was looked at.

    Paths through links are replaced by where they led when they were checked, so that a link that
    is changed later leads nowhere else. The run keeps the id of what it was given.

    Raises:
        UserError: as `check_config`.
    """
    if not deployed():
        return config
    check_config(config)
    return _real_places(config)


def named_texts(config: BaseModel, before: str = "") -> Iterator[tuple[str, Rule, str]]:
    """Every text in a configuration, with the name of its field and its rule.

    Args:
        before: Of the section, with a dot at its end.

    Raises:
        UserError: a field has no rule, so nobody may name it.
    """
    for name, field in type(config).model_fields.items():
        rule, value = FIELDS.get(f"{type(config).__name__}.{name}"), getattr(config, name)
        if rule is not None or takes_text(field.annotation):
            yield from _texts(value, f"{before}{name}", rule)
        else:
            yield from _sections(value, f"{before}{name}")


def takes_text(annotation: object) -> bool:
    """Whether a field may have any text, alone or in a list or a dictionary."""
    if get_origin(annotation) is Literal:
        return False
    return annotation in _TEXTS or any(takes_text(one) for one in get_args(annotation))


def _sections(value: object, name: str) -> Iterator[tuple[str, Rule, str]]:
    """Texts of a section, or of a list of sections."""
    if isinstance(value, BaseModel):
        yield from named_texts(value, f"{name}.")
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _sections(one, f"{name}.{place}")


def _texts(value: object, name: str, rule: Rule | None) -> Iterator[tuple[str, Rule, str]]:
    if rule is None:
        raise UserError(f"{name}: a run from the API may not set it")
    if isinstance(value, str):
        yield name, rule, value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, name, rule)
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from _texts(one, f"{name}.{key}", rule)


def _real_places(config: _Config) -> _Config:
    changed = {
        name: _real_value(getattr(config, name), FIELDS.get(f"{type(config).__name__}.{name}"))
        for name in type(config).model_fields
    }
    return config.model_copy(update=changed)


def _real_value(value: object, rule: Rule | None) -> object:
    if isinstance(value, BaseModel):
        return _real_places(value)
    if isinstance(value, list):
        return [_real_value(one, rule) for one in value]
    if isinstance(value, dict):
        return {name: _real_value(one, rule) for name, one in value.items()}
    if rule not in _PLACES or not isinstance(value, str) or not os.path.exists(value):
        return value
    real = os.path.realpath(value)
    # How a file is read is seen by its ending.
    return real if Path(real).suffixes == Path(value).suffixes else value


def _data(field: str, text: str) -> None:
    check_places([(field, text)])


def _model(field: str, text: str) -> None:
    if text.startswith(PACKAGE):
        allowed_package(field, text.removeprefix(PACKAGE))
    elif text.startswith(EMBEDDED):
        _word(field, text.removeprefix(EMBEDDED))
    else:
        check_places([(field, text)])


def _policy(field: str, text: str) -> None:
    run, _, number = text.rpartition(":")
    if not (number.isdecimal() and _WORD.fullmatch(run)):  # else RUN:ITERATION
        _model(field, text)


def _teacher(field: str, text: str) -> None:
    if text.startswith(HOSTED):
        check_addresses(hosted_addresses(text.removeprefix(HOSTED)))
    elif text.startswith(IMPORTED):
        _word(field, text.removeprefix(IMPORTED))
    else:
        _model(field, text)


def _function(field: str, text: str) -> None:
    if text not in _OUR_NAMES[field.rpartition(".")[2]]:
        check_functions([(field, text)])


def _word(field: str, text: str) -> None:
    _matches(_WORD, field, text, Rule.WORD)


def _vllm(field: str, text: str) -> None:
    if refused := not_for_anybody(parse_vllm_args([text])):
        raise UserError(
            f"{field}: {refused!r:.200}: a run from the API names {Rule.VLLM.value} alone"
        )


def _hub_name(field: str, text: str) -> None:
    _matches(_HUB_NAME, field, text, Rule.HUB_NAME)


def _matches(form: re.Pattern[str], field: str, text: str, rule: Rule) -> None:
    if not form.fullmatch(text):
        raise UserError(f"{field}: {text!r:.200}: a run from the API names {rule.value} alone")


def _nothing(field: str, text: str) -> None:
    """It reaches nothing."""


_PLACES = (Rule.PLACE, Rule.STORE, Rule.DATA, Rule.MODEL, Rule.POLICY, Rule.TEACHER, Rule.TEMPLATE)
_CHECKS: dict[Rule, Callable[[str, str], None]] = {
    Rule.PLACE: allowed_place,
    Rule.STORE: allowed_store,
    Rule.DATA: _data,
    Rule.MODEL: _model,
    Rule.POLICY: _policy,
    Rule.TEACHER: _teacher,
    Rule.TEMPLATE: _data,
    Rule.FUNCTION: _function,
    Rule.ADDRESS: lambda field, text: check_addresses([(field, text)]),
    Rule.WORD: _word,
    Rule.HUB_NAME: _hub_name,
    Rule.TEXT: _nothing,
    Rule.VLLM: _vllm,
    Rule.CHANGES: _nothing,
}
