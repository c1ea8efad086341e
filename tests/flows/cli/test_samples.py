"""`restem samples`: what a filter takes, and that nothing is left out without a word."""

from __future__ import annotations

import json

from tests.flows.conftest import Restem


def lines(finished: Restem, *arguments: str) -> list[dict[str, object]]:
    said = finished("samples", *arguments, "--json", "--limit", "0")
    return [json.loads(line) for line in said.splitlines()]


def test_every_sample_that_was_drawn_is_there(finished: Restem) -> None:
    found = lines(finished)
    drawn = [one for one in finished.status()["steps"] if one["step"] == "generate draw"]
    assert len(found) == sum(one["rows"] for one in drawn)


def test_a_filter_takes_what_it_says(finished: Restem) -> None:
    every = lines(finished, "--iteration", "0")
    first = every[0]["problem"]
    assert isinstance(first, dict)
    own = lines(finished, "--iteration", "0", "--problem", first["id"])
    assert own == [one for one in every if one["problem"] == first] and len(own) == 8
    wrong = lines(finished, "--iteration", "0", "--status", "wrong_answer")
    assert wrong == [one for one in every if one["status"] == "wrong_answer"] and wrong
    assert all("####" in str(one["text"]) for one in lines(finished, "--text", "####"))


def test_more_than_is_shown_is_said(finished: Restem) -> None:
    said = finished("samples", "--limit", "2")
    assert said.count(" sample ") == 2 and "there are more: --limit 0 shows all" in said
    assert "no such sample" in finished("samples", "--problem", "no such question")


def test_a_verdict_that_there_is_not(finished: Restem) -> None:
    said = finished("samples", "--status", "right", code=2)
    assert said.startswith("restem: status: right: expected one of: correct, wrong_answer")
