"""Log-probabilities of given answers, against the model's own forward pass over whole texts."""

from __future__ import annotations

import inspect

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tasks.decoding.choose import choose
from tasks.errors import UserError
from tasks.paths import MODELS

inspect_signature = inspect.signature

PROMPTS = [
    "Q: Ann has 23 caps, finds 4. How many?\nA: 23+4=",
    "Q: Bob has 3 hats. How many?\nA: ",
    "Q: Zoe has 3 bags of 7 nuts, eats 2, finds 9. How many?\nA: 3*7=21, 21-2=",
]


@pytest.fixture(scope="module")
def policy():
    torch.set_num_threads(1)  # threads that spin for each other starve what runs beside the test
    folder = MODELS / "tiny-math"
    return AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(
        folder
    )


def _straight(policy, prompt: str, choice: str) -> float:
    model, tokenizer = policy
    asked = tokenizer(prompt)["input_ids"]
    answer = tokenizer(choice, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([asked + answer])).logits[0].double().log_softmax(-1)
    places = range(len(asked) - 1, len(asked) + len(answer) - 1)
    return sum(float(logits[i, token]) for i, token in zip(places, answer, strict=True))


@pytest.mark.parametrize("choices", [("1", "2"), ("27", "19", "3"), ("yes it is", "no")])
@pytest.mark.parametrize("batch", [1, 2, 8])
def test_they_are_those_of_the_whole_text(policy, choices: tuple[str, ...], batch: int) -> None:
    found = choose(*policy, PROMPTS, choices, batch_size=batch)
    wanted = [[_straight(policy, prompt, choice) for choice in choices] for prompt in PROMPTS]
    torch.testing.assert_close(torch.tensor(found), torch.tensor(wanted), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("choices", [("1", "12"), ("", "2"), ("2", "2")])
def test_a_choice_that_stands_for_another_is_refused(policy, choices: tuple[str, ...]) -> None:
    with pytest.raises(UserError, match=r"judge\.prompt: choices"):
        choose(*policy, PROMPTS, choices, batch_size=8)


POSTS = [
    f"Q: Ann has {n} caps and {2 * n} hats, finds {n + 4}, and eats figs. Which is better, "
    for n in (3, 11, 207)
]
# Both orders of answers behind each post, and a post that stands alone.
ORDERS = [
    f"{post}{one} or {other}?\nA: "
    for post in POSTS
    for one, other in [("7", "12 caps"), ("12 caps", "7"), ("7 hats", "9")]
] + ["Q: Bob has 3 hats. How many?\nA: "]


@pytest.mark.parametrize("choices", [("1", "2"), ("1 a", "1 b"), ("yes it is", "no")])
@pytest.mark.parametrize("batch", [1, 4, 64])
def test_what_some_prompts_begin_with_is_computed_once_and_changes_nothing(
    policy, choices: tuple[str, ...], batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, tokenizer = policy
    fed: list[int] = []
    forward = model.forward
    monkeypatch.setattr(
        model,
        "forward",
        lambda *args, **named: (fed.append(named["input_ids"].numel()), forward(*args, **named))[1],
    )
    monkeypatch.setattr(inspect, "signature", lambda _: inspect_signature(forward))
    found = choose(model, tokenizer, ORDERS, choices, batch_size=batch)
    monkeypatch.undo()
    wanted = [[_straight(policy, prompt, choice) for choice in choices] for prompt in ORDERS]
    torch.testing.assert_close(torch.tensor(found), torch.tensor(wanted), rtol=1e-4, atol=1e-4)
    if batch > 1 and len(choices[0]) < 4:
        assert sum(fed) < 0.8 * sum(len(ids) for ids in tokenizer(ORDERS)["input_ids"])
