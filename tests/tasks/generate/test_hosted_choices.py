"""Choices of a hosted judge: what is asked, what its answers mean, and what is paid for once."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tasks.decoding.request import Weights
from tasks.errors import UserError
from tests.tasks.generate.hosted_parts import (
    Answer,
    Reply,
    engine,
    failed,
    prompts,
    question,
    quick,  # noqa: F401 - fixture
    serving,
)

CHOICES = (" 1", " 2")


def chose(*places: tuple[str, dict[str, float]], finish: str = "length") -> Reply:
    """An answer of tokens, each with probabilities of the likeliest ones."""
    content = [
        {
            "token": token,
            "logprob": math.log(top.get(token, 1.0)),
            "top_logprobs": [{"token": one, "logprob": math.log(p)} for one, p in top.items()],
        }
        for token, top in places
    ]
    message = {"content": "".join(token for token, _ in places)}
    choice = {"finish_reason": finish, "message": message, "logprobs": {"content": content}}
    usage = {"prompt_tokens": 11, "completion_tokens": len(places)}
    return Reply({"choices": [choice], "usage": usage})


def weighed(answer: Answer, home: Path, *questions: str) -> tuple[Weights, list[dict[str, Any]]]:
    with serving(answer) as service, engine(service, home) as made:
        return made.choose(prompts(*questions), CHOICES), service.requests


def test_a_choice_is_a_greedy_request_for_the_likeliest_tokens(home: Path) -> None:
    found, requests = weighed(lambda *_: chose(("1", {"1": 0.7, "2": 0.2})), home, "Which?")
    (request,) = requests
    assert request["logprobs"] is True and request["top_logprobs"] == 20
    assert request["temperature"] == 0 and "seed" not in request
    (values,) = found
    assert values and [math.exp(one) for one in values] == pytest.approx([0.7, 0.2])
    assert (found.input_tokens, found.tokens) == (11, 1)
    assert found.money == pytest.approx((2.0 * 11 + 10.0 * 1) / 1e6)


def test_each_prompt_gets_its_own_in_the_order_asked_for(home: Path) -> None:
    def answer(request: dict[str, Any], number: int) -> Reply:
        p = float(question(request))
        return chose(("1", {"1": p, "2": 1 - p}))

    found, _ = weighed(answer, home, *(f"0.{n}" for n in range(1, 10)))
    assert [math.exp(one[0]) for one in found if one] == pytest.approx(
        [n / 10 for n in range(1, 10)]
    )


ANSWERS = {
    "a mark before it": (
        chose(("**", {"**": 1.0}), ("2", {"2": 0.9, "1": 0.1}), ("**", {"**": 1.0})),
        [0.1, 0.9],
    ),
    "no choice at all": (chose(("I", {"I": 0.9, "2": 0.06, "1": 0.04})), [0.04, 0.06]),
    "none is likely": (chose(("I", {"I": 0.9, "We": 0.1})), None),
    "an empty answer": (chose(), None),
    "one token alone": (
        Reply(
            {
                "choices": [
                    {
                        "finish_reason": "stop",
                        "message": {"content": "2"},
                        "logprobs": {"content": [{"token": "2", "logprob": math.log(0.8)}]},
                    }
                ]
            }
        ),
        [0.2, 0.8],
    ),
    "a filter": (failed(400, "No", code="content_filter"), None),
}


@pytest.mark.parametrize(("reply", "wanted"), ANSWERS.values(), ids=ANSWERS)
def test_an_answer_says_where_the_choice_stands(
    home: Path, reply: Reply, wanted: list[float] | None
) -> None:
    found, _ = weighed(lambda *_: reply, home, "Which?")
    values = found[0]
    assert (values and [math.exp(one) for one in values]) == (wanted and pytest.approx(wanted))


def test_an_answer_is_paid_for_once_and_a_reason_is_none(home: Path) -> None:
    from tasks.decoding.request import Sampling

    with serving(lambda *_: chose(("1", {"1": 0.7, "2": 0.3}))) as service:
        for _ in range(2):
            with engine(service, home) as made:
                first = made.choose(prompts("Which?"), CHOICES)
                made.sample(prompts("Which?"), [(0, 0)], Sampling(temperature=0.0, max_tokens=8))
        assert len(service.requests) == 2  # of the same words, one with log-probabilities
    assert first.input_tokens == 11


NONE = {
    "passed over": Reply({"choices": [{"finish_reason": "stop", "message": {"content": "1"}}]}),
    "null": Reply(
        {"choices": [{"finish_reason": "stop", "message": {"content": "1"}, "logprobs": None}]}
    ),
    "refused": failed(400, "'logprobs' is not supported with this model.", param="logprobs"),
    "in words": failed(400, 'Unknown field "logprobs"'),
}


@pytest.mark.parametrize("reply", NONE.values(), ids=NONE)
def test_a_service_without_log_probabilities_is_one_line(home: Path, reply: Reply) -> None:
    with (
        serving(lambda *_: reply) as service,
        engine(service, home, field="judge.model") as made,
        pytest.raises(UserError) as caught,
    ):
        made.choose(prompts(*map(str, range(50))), CHOICES)
    said = str(caught.value)
    assert said.startswith("judge.model: 127.0.0.1:") and "\n" not in said
    assert "gives no log-probabilities of some-model" in said and "top_logprobs" in said
    assert len(service.requests) <= 8  # those under way, and as often with fewer asked for


def test_a_service_that_gives_fewer_is_asked_for_fewer(home: Path) -> None:
    def answer(request: dict[str, Any], number: int) -> Reply:
        if request["top_logprobs"] > 5:
            return failed(400, "top_logprobs: at most 5", param="top_logprobs")
        return chose(("1", {"1": 0.7, "2": 0.2}))

    found, requests = weighed(answer, home, "a", "b", "c")
    assert all(found) and requests[-1]["top_logprobs"] == 5
