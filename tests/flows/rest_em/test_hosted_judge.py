"""A judge that a service runs: shown first, paid for once, and one line where it cannot judge."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from flows.config.rest_em import RestEmConfig, load_config
from flows.estimate.dry_run import planned
from flows.orchestrator.direct_caller import DirectCaller
from flows.rest_em.loop import Loop
from tasks.errors import UserError
from tasks.generate.hosted.service import ADDRESS
from tasks.generate.hosted.service import KEY as KEY_VARIABLE
from tasks.rows import PREFERENCES_FILE, read_rows
from tests.small import SMALLEST
from tests.tasks.generate.hosted_parts import KEY, Reply, failed, said, serving

pytestmark = pytest.mark.engine
JUDGED = (
    *(change for change in SMALLEST if not change.startswith("evaluation.majority")),
    "iterations=1",
    "evaluation.train_problems=4",
    "judge.model=openai:some-model",
    "judge.prompt=answers",
    "judge.reason_tokens=40",
    "judge.pairs=1",
    "reward.epochs=1",
    "resources.threads=1",
    "resources.price_in=3",
    "resources.price_out=15",
)


def likes_short(request: dict[str, Any], number: int) -> Reply:
    """A reason, or a choice: the shorter answer is the better one, at nine to one."""
    if "logprobs" not in request:
        return said("Both tell of caps.")
    asked = request["messages"][0 if len(request["messages"]) == 1 else -3]["content"]
    first, _, second = asked.partition("Answer 2:")
    short = len(first.partition("Answer 1:")[2]) <= len(second.partition("\n\n")[0])
    values = {"1": 0.9 if short else 0.1, "2": 0.1 if short else 0.9}
    top = [{"token": token, "logprob": math.log(p)} for token, p in values.items()]
    choice = {
        "finish_reason": "stop",
        "message": {"content": "1" if short else "2"},
        "logprobs": {"content": [{"token": "1" if short else "2", "top_logprobs": top}]},
    }
    return Reply(
        {"choices": [choice], "usage": {"prompt_tokens": 100, "completion_tokens": 1}},
    )


def configured(monkeypatch: pytest.MonkeyPatch, address: str, *changes: str) -> RestEmConfig:
    monkeypatch.setenv(ADDRESS, address)
    monkeypatch.setenv(KEY_VARIABLE, KEY)
    return load_config("notes-demo", [*JUDGED, *changes])


def test_a_hosted_judge_labels_both_orders_after_a_reason_and_is_paid_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(likes_short) as service:
        config = configured(monkeypatch, service.address)
        with DirectCaller(config) as caller:
            Loop(config, caller).run()
            (compared,) = [ref for group, ref in caller.done if group == "compare draw"]
            rows = list(read_rows(caller.store.path(compared) / PREFERENCES_FILE))
            stats = caller.store.manifest(compared).stats
            made = [ref.digest for _, ref in caller.done]
        asked = len(service.requests)
        with DirectCaller(config) as caller:
            Loop(config, caller).run()
            assert [ref.digest for _, ref in caller.done] == made
        assert len(service.requests) == asked
    look, *others = service.requests
    assert look["logprobs"] and len(look["messages"]) == 1
    reasons = [one for one in others if "logprobs" not in one]
    chosen = [one for one in others if "logprobs" in one]
    assert reasons and {one["max_tokens"] for one in reasons} == {40}
    for one in chosen:  # nobody can begin a service's answer: it is asked in a turn of its own
        assert [turn["role"] for turn in one["messages"]] == ["user", "assistant", "user"]
        assert one["messages"][1]["content"] == "Both tell of caps."
        assert one["messages"][2]["content"].startswith("Which answer is better?")
    assert rows and {row["status"] for row in rows} == {"judged"}
    assert {row["reason_first"] for row in rows} == {"Both tell of caps."}
    assert {round(row["p"], 6) for row in rows} <= {0.1, 0.5, 0.9}
    assert stats.money and stats.money > 0 and stats.input_tokens


def test_a_service_without_log_probabilities_is_said_before_a_sample_is_drawn(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reply = failed(400, "'logprobs' is not supported with this model.", param="logprobs")
    with serving(lambda *_: reply) as service:
        config = configured(monkeypatch, service.address)
        with DirectCaller(config) as caller:
            with pytest.raises(UserError, match=r"^judge\.model: .* gives no log-probabilities"):
                Loop(config, caller).run()
            assert [group for group, _ in caller.done] == ["problems", "base model"]
    assert len(service.requests) == 1


def test_a_probe_pays_no_judge() -> None:
    with pytest.raises(UserError, match=r"^--probe: a hosted judge is paid by answer"):
        planned(load_config("notes-demo", list(JUDGED)), probe=True)


def test_its_address_is_one_that_the_operator_has_to_list(monkeypatch: pytest.MonkeyPatch) -> None:
    config = configured(monkeypatch, "https://judge.example/v1")
    assert (ADDRESS, "https://judge.example/v1") in config.addresses
