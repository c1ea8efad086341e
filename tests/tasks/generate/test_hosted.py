"""Samples of a hosted model: what is asked, what every answer and failure becomes, what is paid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

from tasks.decoding.request import Completions, Sampling
from tasks.errors import StepError, UserError
from tasks.generate.hosted import client, patience
from tasks.generate.hosted import engine as hosted
from tasks.generate.hosted.answers import FILE
from tasks.generate.hosted.engine import HostedEngine
from tasks.generate.hosted.service import ADDRESS, HostedModel, base_address
from tasks.generate.hosted.service import KEY as KEY_VARIABLE
from tasks.paths import ROOT
from tests.tasks.generate.hosted_parts import (
    KEY,
    Answer,
    Reply,
    Service,
    failed,
    in_turn,
    question,
    said,
    serving,
)

SAMPLING = Sampling(temperature=0.7, top_p=0.9, max_tokens=50)
GREEDY = Sampling(temperature=0.0, max_tokens=50)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that a service does not ask for are short."""
    monkeypatch.setattr(patience, "FIRST_SECONDS", 0.01)
    monkeypatch.setattr(patience, "MOST_SECONDS", 0.05)
    monkeypatch.setattr(client, "SPREAD_SECONDS", 0.01)
    monkeypatch.setattr(hosted, "GRACE_SECONDS", 5.0)


def prompts(*questions: str) -> list[str]:
    return [json.dumps([{"role": "user", "content": text}]) for text in questions]


@contextmanager
def engine(
    service: Service,
    home: Path,
    *,
    requests: int = 4,
    stall: float = 30.0,
    words: list[str] | None = None,
) -> Iterator[HostedEngine]:
    model = HostedModel("some-model", service.address)
    made = HostedEngine(
        model,
        KEY,
        home / FILE,
        requests=requests,
        prices=(2.0, 10.0),
        stall=stall,
        say=(words if words is not None else []).append,
    )
    try:
        yield made
    finally:
        made.close()


def sampled(
    answer: Answer,
    home: Path,
    asked: list[tuple[int, int]],
    *questions: str,
    sampling: Sampling = SAMPLING,
) -> tuple[Completions, Service]:
    with serving(answer) as service, engine(service, home) as made:
        return made.sample(prompts(*questions), asked, sampling), service


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

    def answer(request: dict, number: int) -> Reply:
        time.sleep(0.03 if number % 4 == 0 else 0)
        return said(f"{question(request)} {request['seed']}")

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
    never = threading.Event()
    late = Reply(said("late").body, wait=never)
    answer = in_turn([said("4"), late], said("4"))
    with serving(answer) as service:
        with (
            engine(service, home, requests=1, stall=1.0) as made,
            pytest.raises(StepError, match="no answer for"),
        ):
            made.sample(prompts("?"), [(0, 1), (0, 2), (0, 3)], SAMPLING)
        with engine(service, home) as made:
            found = made.sample(prompts("?"), [(0, 1), (0, 2), (0, 3)], SAMPLING)
        never.set()
    assert [one.text for one in found] == ["4"] * 3 and len(service.requests) == 4


def test_nobody_asks_before_the_time_that_a_busy_service_gives(home: Path) -> None:
    busy = failed(429, headers={"Retry-After": "1"})
    asked = [(0, seed) for seed in range(12)]
    found, service = sampled(in_turn([busy], said("4")), home, asked, "?")
    first, *others = service.times
    # Those that were under way already had been sent.
    assert len(found) == 12 and sum(one - first < 1.0 for one in others) <= 3


def test_a_date_to_retry_after_is_a_time_as_well() -> None:
    wait = patience.wait_seconds(1, {"retry-after": formatdate(time.time() + 100, usegmt=True)})
    assert 90 < wait <= 100


@pytest.mark.parametrize("given", ["soon", "-3", "nan", ""])
def test_a_time_that_is_none_is_not_believed(given: str) -> None:
    assert 0 <= patience.wait_seconds(1, {"retry-after": given}) <= patience.MOST_SECONDS


def test_waits_grow_to_a_bound_and_differ() -> None:
    waits = [patience.wait_seconds(failures) for failures in range(1, 2000)]
    assert max(waits) <= patience.MOST_SECONDS and len(set(waits)) > 1000
    assert waits[0] < waits[10]


def test_a_request_that_always_fails_is_given_up_while_others_are_answered(home: Path) -> None:
    def answer(request: dict, number: int) -> Reply:
        return failed(500) if question(request) == "bad" else said("4")

    asked = [(0, 1), *((1, seed) for seed in range(40))]
    found, service = sampled(answer, home, asked, "bad", "good")
    assert [one.finish for one in found] == ["error", *["stop"] * 40]
    assert sum(question(one) == "bad" for one in service.requests) <= 2 * client.TRIES


def test_a_service_that_is_down_makes_no_sample_an_error(home: Path) -> None:
    with (
        serving(lambda *_: failed(503, "down")) as service,
        engine(service, home, stall=0.5) as made,
        pytest.raises(StepError, match=r"^OPENAI_BASE_URL: 127.* no answer for .*HTTP 503"),
    ):
        made.sample(prompts("?"), [(0, 1), (0, 2)], SAMPLING)


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


# ---- what is paid ----


def test_tokens_and_money_are_counted_by_the_services_own_numbers(home: Path) -> None:
    found, _ = sampled(lambda *_: said("4"), home, [(0, seed) for seed in range(10)], "?")
    assert sum(one.tokens for one in found) == 70 and found.input_tokens == 110
    assert found.money == pytest.approx((2.0 * 110 + 10.0 * 70) / 1e6)


def test_a_service_that_counts_nothing_costs_nothing_that_we_know(home: Path) -> None:
    reply = Reply({"choices": [{"finish_reason": "stop", "message": {"content": "4"}}]})
    found, _ = sampled(lambda *_: reply, home, [(0, 1)], "?")
    assert (found[0].tokens, found.input_tokens, found.money) == (0, 0, 0)


def test_what_was_answered_is_never_asked_again(home: Path) -> None:
    """In whatever shards: some of these, others cut otherwise, all at once."""
    with serving(lambda request, _: said(str(request["seed"]))) as service:
        for asked in ([(0, 1), (0, 2)], [(0, 2), (0, 3)], [(0, 1), (0, 2), (0, 3)]):
            with engine(service, home) as made:
                found = made.sample(prompts("?"), asked, SAMPLING)
            assert [one.text for one in found] == [str(seed) for _, seed in asked]
            assert found.input_tokens == 11 * len(asked)
        assert len(service.requests) == 3


CHANGES: dict[str, Callable[[], Sampling]] = {
    "temperature": lambda: Sampling(temperature=0.8, top_p=0.9, max_tokens=50),
    "top_p": lambda: Sampling(temperature=0.7, top_p=0.8, max_tokens=50),
    "max_tokens": lambda: Sampling(temperature=0.7, top_p=0.9, max_tokens=51),
    "stop": lambda: Sampling(temperature=0.7, top_p=0.9, max_tokens=50, stop=("x",)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_asked_otherwise_is_asked_anew(home: Path, change: Callable[[], Sampling]) -> None:
    with serving(lambda *_: said("4")) as service, engine(service, home) as made:
        made.sample(prompts("?"), [(0, 1)], SAMPLING)
        made.sample(prompts("?"), [(0, 1)], change())
        assert len(service.requests) == 2


def test_two_shards_at_once_share_the_bound(home: Path) -> None:
    def answer(request: dict, number: int) -> Reply:
        time.sleep(0.005)
        return said(str(request["seed"]))

    with serving(answer) as service, engine(service, home, requests=3) as made:
        shards = [[(0, 100 * shard + i) for i in range(20)] for shard in (1, 2)]
        with ThreadPoolExecutor(2) as threads:
            both = list(threads.map(lambda one: made.sample(prompts("?"), one, SAMPLING), shards))
    assert [[one.text for one in found] for found in both] == [
        [str(s) for _, s in one] for one in shards
    ]
    assert service.most_at_once == 3


def test_what_is_under_way_when_a_run_ends_early_is_heard_and_kept(home: Path) -> None:
    ended = threading.Event()

    def answer(request: dict, number: int) -> Reply:
        if number == 7:  # three others are under way
            ended.set()
            return failed(402, "Pay")
        return Reply(said(str(request["seed"])).body, wait=ended if number > 3 else None)

    asked = [(0, seed) for seed in range(20)]
    with serving(answer) as service:
        with engine(service, home) as made, pytest.raises(StepError, match="Pay"):
            made.sample(prompts("?"), asked, SAMPLING)
        heard = len(service.requests)  # all answered but one
        with engine(service, home) as made:
            found = made.sample(prompts("?"), asked, SAMPLING)
        assert len(service.requests) == heard + 20 - (heard - 1)
    assert [one.text for one in found] == [str(seed) for seed in range(20)]


def test_closing_ends_what_is_under_way(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hosted, "GRACE_SECONDS", 0.1)
    never, reached = threading.Event(), threading.Event()

    def answer(request: dict, number: int) -> Reply:
        reached.set()
        return Reply(said("4").body, wait=never)

    with serving(answer) as service, engine(service, home) as made:
        with ThreadPoolExecutor(1) as threads:
            waits = threads.submit(made.sample, prompts("?"), [(0, 1)], SAMPLING)
            assert reached.wait(30)
            made.close()
            with pytest.raises(StepError, match="was closed"):
                waits.result(30)
        never.set()


KILLED = """
import os, sys
from pathlib import Path
from tests.tasks.generate.test_hosted import SAMPLING, engine, prompts
from tests.tasks.generate.hosted_parts import Service
with engine(Service(sys.argv[1]), Path(sys.argv[2])) as made:
    made.sample(prompts("?"), [(0, seed) for seed in range(30)], SAMPLING)
"""


def test_a_kill_in_the_middle_pays_again_for_what_was_under_way_alone(home: Path) -> None:
    never, held = threading.Event(), threading.Event()

    def answer(request: dict, number: int) -> Reply:
        if number < 12:
            return said(str(request["seed"]))
        if number >= 15:  # four are under way
            held.set()
        return Reply(said("lost").body, wait=None if never.is_set() else never)

    with serving(answer) as service:
        command = [sys.executable, "-c", KILLED, service.address, str(home)]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        assert held.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert len(service.requests) == 16
        never.set()
        with engine(service, home) as made:
            found = made.sample(prompts("?"), [(0, seed) for seed in range(30)], SAMPLING)
    assert len(service.requests) == 16 + 30 - 12
    assert sum(one.text != "lost" for one in found) == 12
    assert found.input_tokens == 11 * 30


def test_a_damaged_file_of_answers_is_one_line(home: Path) -> None:
    home.mkdir()
    (home / FILE).write_bytes(b"no database at all" * 1000)
    with pytest.raises(StepError, match=r"answers\.sqlite: .* move it away"):
        HostedEngine(
            HostedModel("m", "http://a"), "", home / FILE, requests=1, prices=(0, 0), stall=1
        )


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
