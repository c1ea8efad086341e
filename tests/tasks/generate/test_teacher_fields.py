"""Which fields a hosted model is sent, by what its service takes (`sampling.teacher_fields`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from tasks.decoding.request import Sampling
from tasks.errors import UserError
from tasks.generate.hosted.chat import Ask
from tasks.settings import SamplingSettings
from tests.tasks.generate.hosted_parts import (
    SAMPLING,
    Reply,
    engine,
    failed,
    prompts,
    quick,  # noqa: F401 - fixture
    said,
    serving,
)

TEACHER = "openai:some-model"
# Of a question as it was kept before there were such fields.
KEPT = "8ab095e39dae4aaab7c8967cc686bbf3650e94f0833f184d3dd0d0ca181a7720"


def test_an_answer_that_was_paid_for_is_found_under_its_digest() -> None:
    sampling = Sampling(temperature=0.7, top_p=0.9, max_tokens=50, stop=("b",))
    ask = Ask([{"role": "user", "content": "2 and 2?"}], sampling, 5)
    assert ask.digest("m", "http://a/v1") == KEPT


def test_fields_that_the_service_takes_are_sent_with_values_that_do_nothing(home: Path) -> None:
    with serving(lambda *_: said("4")) as service:
        fields = ("top_k", "min_p", "repetition_penalty")
        with engine(service, home, fields=fields) as made:
            made.sample(prompts("?"), [(0, 1)], SAMPLING)
            drawn = Sampling(temperature=0.7, top_k=40, max_tokens=50)
            made.sample(prompts("?"), [(0, 1)], drawn)
    first, second = service.requests
    assert (first["top_k"], first["min_p"], first["repetition_penalty"]) == (-1, 0.0, 1.0)
    assert second["top_k"] == 40
    assert "presence_penalty" not in first


def strict(request: dict[str, Any], _: int) -> Reply:
    """As services answer that refuse what they do not know."""
    unknown = request.keys() - {*("model", "messages", "max_tokens"), *("temperature", "top_p")}
    unknown -= {"seed", "stop"}
    return failed(400, f"Unrecognized argument: '{min(unknown)}'") if unknown else said("4")


def test_a_service_that_refuses_unknown_fields_goes_on_working(home: Path) -> None:
    with serving(strict) as service, engine(service, home) as made:
        assert made.sample(prompts("?"), [(0, 1)], SAMPLING)[0].text == "4"


def test_a_field_that_the_service_does_not_take_is_one_line(home: Path) -> None:
    with (
        serving(strict) as service,
        engine(service, home, fields=("min_p",)) as made,
        pytest.raises(UserError, match=r"^sampling\.teacher_fields: \S+ does not take min_p: "),
    ):
        made.sample(prompts("?"), [(0, 1)], SAMPLING)
    assert len(service.requests) == 1


def test_top_k_is_for_services_that_take_it() -> None:
    with pytest.raises(ValidationError, match="top_k in teacher_fields"):
        SamplingSettings(teacher=TEACHER)
    assert SamplingSettings(teacher=TEACHER, teacher_fields=["top_k"]).top_k == 40
    with pytest.raises(ValidationError, match="for a hosted teacher alone"):
        SamplingSettings(teacher_fields=["top_k"])


def test_the_fields_stand_in_no_key_where_there_are_none() -> None:
    plain = SamplingSettings(teacher=TEACHER, top_k=0)
    assert "teacher_fields" not in plain.recipe() and "teacher_fields" not in plain.described()
    asked = SamplingSettings(teacher=TEACHER, top_k=0, teacher_fields=["min_p"])
    assert asked.recipe()["teacher_fields"] == ["min_p"]
