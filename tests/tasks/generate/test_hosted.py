"""Samples of a hosted model: what is asked, and what every answer and failure becomes."""

from __future__ import annotations

import threading
from email.utils import formatdate
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.decoding.request import Sampling
from tasks.errors import StepError, UserError
from tasks.generate.hosted import client, patience
from tasks.generate.hosted.service import ADDRESS, base_address
from tasks.generate.hosted.service import KEY as KEY_VARIABLE
from tests.tasks.generate.hosted_parts import (
    KEY,
    SAMPLING,
    Reply,
    engine,
    failed,
    in_turn,
    prompts,
    question,
    quick,  # noqa: F401 - fixture
    said,
    sampled,
    serving,
)

GREEDY = Sampling(temperature=0.0, max_tokens=50)


def test_a_sample_is_a_request_with_all_that_decides_it(home: Path) -> None:
    found, service = sampled(lambda *_: said(" 4 "), home, [(0, 5)], "2 and 2?")
    assert service.requests == [
        {
            "model": "some-model",
            "messages": [{"role": "user", "content": "2 and 2?"}],
            "temperature": 0.7,
            "top_p": 0.9,
            "max_tokens": 50,
            "seed": 5,
        }
    ]
    assert service.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert [(one.text, one.tokens, one.finish) for one in found] == [("4", 7, "stop")]


def test_completions_come_in_the_order_that_they_were_asked_for(home: Path) -> None:
    asked = [(i % 3, 100 + i) for i in range(30)]

    later = threading.Event()

    def answer(request: dict, number: int) -> Reply:
        if number == 3:
            later.set()
        body = said(f"{question(request)} {request['seed']}").body
        return Reply(body, wait=later if number == 0 else None)  # the first one is answered late

    found, service = sampled(answer, home, asked, "a", "b", "c")
    assert [one.text for one in found] == [f"{'abc'[p]} {seed}" for p, seed in asked]
    assert len(service.requests) == 30 and 1 < service.most_at_once <= 4


def test_a_greedy_sample_has_no_seed(home: Path) -> None:
    _, service = sampled(lambda *_: said("4"), home, [(0, 5)], "2 and 2?", sampling=GREEDY)
    assert "seed" not in service.requests[0] and service.requests[0]["temperature"] == 0


def test_what_is_written_beyond_a_stop_is_cut(home: Path) -> None:
    stops = ("\nQ:", "b", "c", "d", "STOP")  # one more than the protocol takes
    sampling = Sampling(temperature=0.7, max_tokens=50, stop=stops)
    found, service = sampled(
        lambda *_: said("4 STOP 5", "length"), home, [(0, 5)], "?", sampling=sampling
    )
    assert service.requests[0]["stop"] == list(stops[:4])
    assert (found[0].text, found[0].finish) == ("4 ", "stop")


ENDS = {
    "truncated": (said("1 + 1 =", "length"), ("1 + 1 =", "length")),
    "filtered answer": (said("I", "content_filter"), ("I", "refused")),
    "refusal": (said(None, refusal="I will not."), ("I will not.", "refused")),
    "filtered prompt": (failed(400, "Blocked.", code="content_filter"), ("Blocked.", "refused")),
    "half a character": (said("4 \ud83d"), ("4 ?", "stop")),
    "no text": (said(None), ("", "stop")),
}


@pytest.mark.parametrize(("reply", "expected"), ENDS.values(), ids=ENDS)
def test_how_an_answer_ends(home: Path, reply: Reply, expected: tuple[str, str]) -> None:
    found, service = sampled(lambda *_: reply, home, [(0, 5)], "?")
    assert (found[0].text, found[0].finish) == expected and len(service.requests) == 1


FAULTS = {
    "no JSON": Reply(b"<html>Bad gateway</html>"),
    "half of the JSON": Reply(b'{"choices": [{"mess'),
    "nested deeper than Python goes": Reply(b"[" * 100_000),
    "a count that is none": Reply(
        b'{"choices": [{"message": {}}], "usage": {"prompt_tokens": Infinity}}'
    ),
    "no choices": Reply({"choices": []}),
    "no object": Reply([1, 2]),
    "an end of no kind": said("4", "tool_calls"),
    "a cut connection": Reply(said("4").body, cut=20),
    "500": failed(500),
    "502 without JSON": Reply(b"", 502),
    "503 with a time": failed(503, headers={"Retry-After": "0.02"}),
    "408": failed(408),
    "429": failed(429),
    "429 with a time": failed(429, headers={"retry-after-ms": "20"}),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_that_passes_costs_no_sample(home: Path, fault: Reply) -> None:
    asked = [(0, seed) for seed in range(8)]
    found, service = sampled(in_turn([fault] * 5, said("4")), home, asked, "?")
    assert [one.text for one in found] == ["4"] * 8
    assert len(service.requests) == 13


def test_a_run_that_a_slow_answer_ended_goes_on_from_there(home: Path) -> None:
    slow, never = threading.Event(), threading.Event()

    def answer(request: dict, number: int) -> Reply:
        return Reply(said("4").body, wait=never if slow.is_set() else None)

    asked = [(0, 1), (0, 2), (0, 3)]
    with serving(answer) as service:
        with engine(service, home) as made:
            made.sample(prompts("?"), asked[:1], SAMPLING)
        slow.set()
        with (
            engine(service, home, requests=1, stall=1.0) as made,
            pytest.raises(StepError, match="no answer for"),
        ):
            made.sample(prompts("?"), asked, SAMPLING)
        slow.clear()
        before = len(service.requests)
        with engine(service, home) as made:
            found = made.sample(prompts("?"), asked, SAMPLING)
        never.set()
    assert before > 1 and len(service.requests) == before + 2
    assert [one.text for one in found] == ["4"] * 3


def test_nobody_asks_before_the_time_that_a_busy_service_gives(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, wait_seconds = threading.Event(), patience.wait_seconds

    def noting(*given: Any) -> float:
        told.set()
        return wait_seconds(*given)

    monkeypatch.setattr(client, "wait_seconds", noting)
    # What was sent beside the refused one is answered when that one's refusal was read.
    replies = [failed(429, headers={"Retry-After": "1"}), *[Reply(said("4").body, wait=told)] * 3]
    asked = [(0, seed) for seed in range(12)]
    found, service = sampled(in_turn(replies, said("4")), home, asked, "?")
    first, *others = sorted(service.times)
    assert len(found) == 12 and len(others) == 12
    assert all(one - first >= 1.0 for one in others[3:])


def test_a_date_to_retry_after_is_a_time_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000
    monkeypatch.setattr(patience, "time", SimpleNamespace(time=lambda: now))
    assert patience.wait_seconds(1, {"retry-after": formatdate(now + 100, usegmt=True)}) == 100


@pytest.mark.parametrize("given", ["soon", "-3", "nan", ""])
def test_a_time_that_is_none_is_not_believed(given: str) -> None:
    assert 0 <= patience.wait_seconds(1, {"retry-after": given}) <= patience.MOST_SECONDS


def test_waits_grow_to_a_bound_and_differ() -> None:
    waits = [patience.wait_seconds(failures) for failures in range(1, 2000)]
    assert max(waits) <= patience.MOST_SECONDS and len(set(waits)) > 1000
    assert waits[0] < waits[10]


def test_a_request_that_always_fails_is_given_up_while_others_are_answered(home: Path) -> None:
    heard, good = threading.Event(), count(1)

    def answer(request: dict, number: int) -> Reply:
        if question(request) == "bad":
            return Reply(None, 500, wait=heard)
        if next(good) == 4:  # of three at once beside the bad one: then the first is answered
            heard.set()
        return said("4")

    asked = [(0, 1), *((1, seed) for seed in range(40))]
    found, service = sampled(answer, home, asked, "bad", "good")
    assert [one.finish for one in found] == ["error", *["stop"] * 40]
    assert sum(question(one) == "bad" for one in service.requests) == client.TRIES


def test_a_service_that_is_down_makes_no_sample_an_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silence = count(0, 10)  # seconds, at each look
    monkeypatch.setattr(client, "silent_since", lambda _: next(silence))
    with (
        serving(lambda *_: failed(503, "down")) as service,
        engine(service, home) as made,
        pytest.raises(StepError, match=r"^OPENAI_BASE_URL: 127.* no answer for .*HTTP 503"),
    ):
        made.sample(prompts("?"), [(0, 1), (0, 2)], SAMPLING)
    assert len(service.requests) > client.TRIES


def test_a_time_beyond_our_patience_ends_the_run_at_once(home: Path) -> None:
    with (
        serving(lambda *_: failed(429, headers={"Retry-After": "3600"})) as service,
        engine(service, home) as made,
        pytest.raises(StepError, match="due in 3600 s"),
    ):
        made.sample(prompts("?"), [(0, 1)], SAMPLING)
    assert len(service.requests) == 1


ENDINGS = {
    "key": (failed(401, f"Incorrect API key: {KEY}"), UserError, r"^OPENAI_API_KEY: .* refuses it"),
    "model": (failed(404, "No model"), UserError, r"^sampling\.teacher: .* no model 'some-model'"),
    "money": (failed(402, "Pay"), StepError, r"^OPENAI_API_KEY: .*no quota left \(Pay\)"),
    "quota": (failed(429, "Quota", code="insufficient_quota"), StepError, r"no quota left"),
    "path": (failed(405), UserError, r"^OPENAI_BASE_URL: .* answers HTTP 405"),
    "temperature": (
        failed(400, "Only 1 is supported", param="temperature"),
        UserError,
        r"^sampling\.temperature: .* does not take it: Only 1",
    ),
    "request": (failed(400, "No chat here"), UserError, r"refuses what it is asked: No chat here"),
}


@pytest.mark.parametrize(("reply", "kind", "line"), ENDINGS.values(), ids=ENDINGS)
def test_what_no_patience_helps_is_one_line(
    home: Path, reply: Reply, kind: type[Exception], line: str
) -> None:
    with pytest.raises(kind, match=line) as caught:
        sampled(lambda *_: reply, home, [(i, 1) for i in range(9)], *map(str, range(9)))
    assert KEY not in str(caught.value) and "\n" not in str(caught.value)


def test_a_prompt_that_is_not_taken_is_an_error_of_its_samples(home: Path) -> None:
    def answer(request: dict, number: int) -> Reply:
        long = "long" in question(request)
        return failed(400, "context length", code="context_length_exceeded") if long else said("4")

    found, _ = sampled(answer, home, [(0, 1), (1, 1), (0, 2)], "?", "long")
    assert [one.finish for one in found] == ["stop", "error", "stop"]


def test_a_shard_of_which_no_prompt_is_taken_ends_the_run(home: Path) -> None:
    with pytest.raises(UserError, match=r"no prompt is taken: too long"):
        sampled(lambda *_: failed(413, "too long"), home, [(0, 1)], "?")


def test_fields_that_a_model_does_not_know_are_sent_otherwise(home: Path) -> None:
    """As the newest models of OpenAI do, and servers that take seeds of 32 bits."""

    def answer(request: dict, number: int) -> Reply:
        if "max_tokens" in request:
            text = "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
            return failed(400, text, param="max_tokens")
        for name in ("stop", "seed"):
            if name in request:
                return failed(400, f"Unsupported parameter: '{name}'", param=name)
        return said("4")

    words: list[str] = []
    sampling = Sampling(temperature=0.7, max_tokens=50, stop=("\n",))
    asked = [(0, seed) for seed in range(20)]
    with serving(answer) as service, engine(service, home, words=words) as made:
        found = made.sample(prompts("?"), asked, sampling)
    assert [one.text for one in found] == ["4"] * 20
    assert service.requests[-1]["max_completion_tokens"] == 50
    assert len(service.requests) <= 20 + 3 * 4  # at once under way, for each of the fields
    assert len(words) == 1 and "takes no seed of ours" in words[0]


# ---- address and key ----
@pytest.mark.parametrize(
    "address",
    [
        "ftp://a/v1",
        "api.openai.com/v1",
        "https://user:secret@a/v1",
        "https://a/v1?key=secret",
        "http://",
    ],
)
def test_an_address_that_is_none_is_one_line_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(ADDRESS, address)
    with pytest.raises(UserError, match=r"^OPENAI_BASE_URL: expected") as caught:
        base_address()
    assert "secret" not in str(caught.value)


def test_the_key_is_taken_out_of_what_a_service_repeats(home: Path) -> None:
    found, _ = sampled(lambda *_: said(f"your key is {KEY}"), home, [(0, 1)], "?")
    assert found[0].text == f"your key is ({KEY_VARIABLE})"
    assert KEY.encode() not in b"".join(file.read_bytes() for file in home.rglob("*.sqlite*"))
