"""Choices behind prompts at servers that others started: the best way that each of them has."""

from __future__ import annotations

import math

import pytest

from tasks.decoding.choose import choose
from tasks.decoding.request import Weights
from tasks.errors import UserError
from tasks.generate.endpoint import EngineOptions
from tasks.generate.endpoints import EndpointEngine
from tasks.generate.top_tokens import weigh
from tasks.store.store import ArtifactRef
from tests.tasks.decoding.decoding_parts import make_model, make_tokenizer
from tests.tasks.generate.choice_server import POSITIONS, ChoiceServer, serving

POLICY = ArtifactRef("models", "a" * 32, "the-digest", 0)
POST = "3 and 4 is 7. 5 and 5 is: 10\n"
PROMPTS = [f"{POST}note 1: {a} note 2: {b}\nbetter: " for a in "ab" for b in "abcd"]
CHOICES = [("1", "2"), ("yes it is", "yes it was", "no")]
IDS, ECHO, TOP = "logprob_token_ids", "echo", "logprobs"


def weighed(server: ChoiceServer, choices: tuple[str, ...], prompts: list[str]) -> Weights:
    with serving(server):
        options = EngineOptions("float32", 4)
        tokenizer = make_tokenizer()
        engine = EndpointEngine(
            [server.address], POLICY, options, stall=600.0, tokenizer=lambda: tokenizer
        )
        return engine.choose(prompts, choices)


def expected(choices: tuple[str, ...]) -> list[list[float] | None]:
    return choose(make_model(), make_tokenizer(), PROMPTS, choices, batch_size=8)


@pytest.mark.parametrize("refuses", [True, False])
@pytest.mark.parametrize("takes", [{IDS, ECHO, TOP}, {ECHO, TOP}])
@pytest.mark.parametrize("choices", CHOICES)
def test_a_server_with_an_exact_way_gives_what_the_model_gives(
    choices: tuple[str, ...], takes: set[str], refuses: bool
) -> None:
    server = ChoiceServer(frozenset(takes), refuses=refuses)
    for found, wanted in zip(weighed(server, choices, PROMPTS), expected(choices), strict=True):
        assert found == pytest.approx(wanted, abs=1e-3)


def test_by_ids_a_choice_costs_one_token_behind_each_stem_and_no_prompt_is_computed_anew() -> None:
    server = ChoiceServer(frozenset({IDS, ECHO, TOP}))
    weighed(server, ("1", "2"), PROMPTS)
    assert len(server.bodies) == len(PROMPTS)
    assert all(body["max_tokens"] == 1 and "echo" not in body for body in server.bodies)


@pytest.mark.parametrize("form", ["completions", "content"])
@pytest.mark.parametrize("most", [20, 5])
def test_a_server_of_the_likeliest_tokens_gives_those_and_a_bound_for_others(
    form: str, most: int
) -> None:
    server = ChoiceServer(frozenset({TOP}), refuses=True, most=most, form=form)
    choices = tuple("abcdefghij")
    exact = 0
    found = weighed(server, choices, PROMPTS)
    for ours, wanted in zip(found, expected(choices), strict=True):
        assert wanted is not None
        for value, true in zip(ours or [0.0] * len(wanted), wanted, strict=True):
            assert value >= true - 1e-3
            exact += math.isclose(value, true, abs_tol=1e-3)
    assert exact >= len(PROMPTS)


@pytest.mark.parametrize("refuses", [True, False])
def test_a_server_without_log_probabilities_is_one_line(refuses: bool) -> None:
    with pytest.raises(UserError) as caught:
        weighed(ChoiceServer(frozenset(), refuses=refuses), ("1", "2"), PROMPTS)
    said = str(caught.value)
    assert said.startswith("resources.endpoints: http://127.0.0.1:")
    assert "gives no log-probabilities" in said and "restem engine serve" in said
    assert "\n" not in said


def test_a_prompt_that_does_not_fit_gets_nothing_and_the_others_their_weights() -> None:
    server = ChoiceServer(frozenset({IDS}))
    found = weighed(server, ("1", "2"), [PROMPTS[0], "3" * POSITIONS, PROMPTS[1]])
    assert [one is None for one in found] == [False, True, False]
    with pytest.raises(UserError, match=r"^judge\.prompt: no prompt fits: the prompt is too long"):
        weighed(ChoiceServer(frozenset({IDS})), ("1", "2"), ["3" * POSITIONS])


LIKELIEST = [
    # What is there, the choices, their probabilities.
    ([("1", 0.6), ("2", 0.3), ("x", 0.1)], ("1", "2"), [0.6, 0.3]),
    ([("1", 0.5), (" 1", 0.2), ("2", 0.3)], (" 1", " 2"), [0.7, 0.3]),
    ([("yes", 0.6), ("no", 0.4)], ("yes it is", "no"), [0.6, 0.4]),
    ([("1", 0.6), ("x", 0.3)], ("1", "2"), [0.6, 0.1]),  # what is left over
    ([("1", 0.6), ("x", 0.05)], ("1", "2"), [0.6, 0.05]),  # the least likely one's
    ([("1", 0.6), ("10", 0.4)], ("1 ", "10"), [0.6, 0.4]),  # a word that is a choice is that one
    ([("yes", 0.9), ("y", 0.1)], ("yes it is", "yes it was"), None),  # it may be either
    ([("x", 0.9), ("", 0.1)], ("1", "2"), None),
]


@pytest.mark.parametrize(("top", "choices", "wanted"), LIKELIEST)
def test_likeliest_tokens_stand_for_choices(top, choices, wanted) -> None:
    found = weigh([(token, math.log(p)) for token, p in top], choices)
    assert (found and [math.exp(one) for one in found]) == (wanted and pytest.approx(wanted))
