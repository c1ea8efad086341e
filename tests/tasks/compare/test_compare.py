"""Pairs and their labels, by judges that can be computed by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.compare.draw import Pair, draw_pairs
from tasks.compare.judge_prompt import load_judge_prompt
from tasks.compare.label import Judge, Reasoning, by_reward
from tasks.decoding.request import Completion, Completions, Sampling
from tasks.errors import UserError
from tasks.evaluate.alignment import align

PROMPT = load_judge_prompt("notes")


def _sample(index: int, text: str, finish: str = "stop") -> dict[str, object]:
    return {"problem_id": "a", "index": index, "text": text, "finish": finish}


class Says:
    """An engine whose choice is a function of the prompt."""

    def __init__(self, log_odds) -> None:
        self.log_odds = log_odds

    def choose(self, prompts: Sequence[str], choices: Sequence[str]) -> list[list[float]]:
        others = [0.0] * (len(choices) - 1)
        return [[self.log_odds(prompt), *others] for prompt in prompts]


def _judge(log_odds, *, swap: bool = True) -> Judge:
    return Judge(Says(log_odds), PROMPT, lambda asked, said: asked + said, lambda s: s, swap)


PAIRS = [Pair("a", n, n + 1, (f"good {n}", f"bad {n}")) for n in range(6)]


@pytest.mark.parametrize("always", ["1", "2"])
def test_a_judge_that_looks_at_the_place_alone_says_nothing_when_swapped(always: str) -> None:
    judge = _judge(lambda prompt: 50.0 if always == "1" else -50.0)
    rows = list(judge.label(PAIRS, {"a": "?"}))
    assert [row["p"] for row in rows] == pytest.approx([0.5] * 6)
    side = 1.0 if always == "1" else 0.0
    assert [row["p_first"] for row in rows] == pytest.approx([side] * 6)
    assert [row["p_second"] for row in rows] == pytest.approx([1 - side] * 6)


@pytest.mark.parametrize("swap", [True, False])
def test_a_judge_that_always_says_first_is_right_by_half_and_stays_with_the_place(
    swap: bool,
) -> None:
    rows = list(_judge(lambda prompt: 50.0, swap=swap).label(PAIRS, {"a": "?"}))
    # People prefer the pair's first sample as often as its second.
    people = {("a", pair.first, pair.second): float(n % 2) for n, pair in enumerate(PAIRS)}
    found = align(rows, people, resamples=200, confidence=0.95, seed=0)
    assert found.agreement.value == 0.5
    assert found.first_place == 1.0
    if swap:
        assert found.same_place is not None and found.same_place.value == 1.0
        assert {row["p"] for row in rows} == {0.5}
    else:
        assert {round(row["p"], 9) for row in rows} == {1.0}


class Muses(Says):
    """Writes its seed as the reason, and prefers the first place where that is even."""

    def __init__(self) -> None:
        super().__init__(lambda prompt: 50.0 if int(prompt.split()[-2]) % 2 == 0 else -50.0)
        self.asked: list[tuple[int, int]] = []
        self.sampling: list[Sampling] = []

    def sample(
        self, prompts: Sequence[str], requests: Sequence[tuple[int, int]], sampling: Sampling
    ) -> Completions:
        self.asked += requests
        self.sampling.append(sampling)
        return Completions(Completion(f" {seed}", 1, "stop") for _, seed in requests)


def _musing(engine: Muses, reasons: int, temperature: float, seed: int = 1) -> Judge:
    how = Reasoning(8, reasons, temperature, seed)
    return Judge(engine, PROMPT, lambda a, b: f"{a}{b}", lambda s: s, swap=True, reasoning=how)


def test_several_reasons_have_seeds_of_their_own_and_their_mean_is_the_label() -> None:
    engine = Muses()
    rows = list(_musing(engine, 5, 1.0).label(PAIRS, {"a": "?"}))
    assert len({seed for _, seed in engine.asked}) == 5 * 2 * len(PAIRS)
    assert engine.sampling[0].temperature == 1.0
    for row in rows:
        first = [int(one) for one in row["reason_first"].split()]
        second = [int(one) for one in row["reason_second"].split()]
        assert row["p_first"] == pytest.approx(sum(n % 2 == 0 for n in first) / 5)
        assert row["p_second"] == pytest.approx(sum(n % 2 == 1 for n in second) / 5)
    again, other = Muses(), Muses()
    assert list(_musing(again, 5, 1.0).label(PAIRS, {"a": "?"})) == rows
    list(_musing(other, 5, 1.0, seed=2).label(PAIRS, {"a": "?"}))
    assert {seed for _, seed in other.asked}.isdisjoint(seed for _, seed in engine.asked)


def test_fewer_reasons_are_among_those_of_more() -> None:
    few, more = Muses(), Muses()
    list(_musing(few, 2, 1.0).label(PAIRS, {"a": "?"}))
    list(_musing(more, 3, 1.0).label(PAIRS, {"a": "?"}))
    assert {seed for _, seed in few.asked} < {seed for _, seed in more.asked}


def test_what_a_judge_cannot_take_has_no_label_and_the_rest_has() -> None:
    class Full(Says):
        """Takes no prompt of `bad 3`; says nothing of one order of `bad 4`."""

        def choose(self, prompts: Sequence[str], choices: Sequence[str]) -> list:
            found = super().choose(prompts, choices)
            return [
                None if "bad 3" in prompt or "Note 1: bad 4" in prompt else values
                for prompt, values in zip(prompts, found, strict=True)
            ]

    judge = Judge(Full(lambda prompt: 1.0), PROMPT, lambda a, b: a + b, lambda s: s, True)
    rows = list(judge.label(PAIRS, {"a": "?"}))
    lost = [n for n, row in enumerate(rows) if row["status"] == "judge_error"]
    assert lost == [3, 4]
    assert [n for n, row in enumerate(rows) if row["p"] is None] == [3, 4]
    assert rows[4]["p_first"] is not None and rows[4]["p_second"] is None
    assert judge.rate(["?", "?"], ["bad 3", "good"])[0] is None


def test_the_label_is_the_mean_of_both_orders() -> None:
    # A taste for what is good (2) and one for the first place (0.5), in log-odds.
    judge = _judge(lambda prompt: 0.5 + (2.0 if "Note 1: good" in prompt else -2.0))
    row = next(judge.label(PAIRS, {"a": "?"}))
    first, second = (1 / (1 + math.exp(-x)) for x in (2.5, 1.5))
    assert (row["p_first"], row["p_second"]) == pytest.approx((first, second))
    assert row["p"] == pytest.approx((first + second) / 2)


def test_one_order_alone_has_no_second() -> None:
    row = next(_judge(lambda prompt: 1.0, swap=False).label(PAIRS, {"a": "?"}))
    assert row["p_second"] is None
    assert row["p"] == row["p_first"] == pytest.approx(1 / (1 + math.exp(-1)))


def test_the_oracle_and_people_go_by_rewards() -> None:
    rewards = {("a", 0): 1.0, ("a", 1): 0.0, ("a", 2): 0.0}
    pairs = [Pair("a", 0, 1, ("", "")), Pair("a", 1, 2, ("", "")), Pair("a", 1, 0, ("", ""))]
    oracle = by_reward(pairs, rewards, by="oracle", seed=1)
    assert [row["p"] for row in oracle] == [1.0, 0.5, 0.0]
    same = Pair("a", 1, 2, ("", ""))
    said = [next(by_reward([same], rewards, by="people", seed=n))["p"] for n in range(400)]
    assert {round(3 * p, 9) for p in said} == {0.0, 1.0, 2.0, 3.0}
    assert 0.45 < sum(said) / len(said) < 0.55


def test_a_coin_does_not_look_at_rewards() -> None:
    pairs = [Pair("a", 0, n, ("", "")) for n in range(1, 401)]
    good = {("a", 0): 1.0} | {("a", n): 0.0 for n in range(1, 401)}
    found = [row["p"] for row in by_reward(pairs, good, by="random", seed=3)]
    assert set(found) == {0.0, 1.0} and 0.4 < sum(found) / len(found) < 0.6
    bad = {key: 1.0 - reward for key, reward in good.items()}
    assert found == [row["p"] for row in by_reward(pairs, bad, by="random", seed=3)]
    assert found != [row["p"] for row in by_reward(pairs, good, by="random", seed=4)]


texts = st.lists(st.sampled_from(["x", "y", "x ", "z", "  ", ""]), max_size=6)


@given(texts, st.integers(0, 20), st.integers(0, 5))
def test_pairs_of_few_are_among_those_of_many(said: list[str], count: int, seed: int) -> None:
    samples = [_sample(n, text) for n, text in enumerate(said)]
    few, everything = list(draw_pairs(samples, seed, count)), list(draw_pairs(samples, seed, 0))
    different = len({" ".join(text.split()) for text in said} - {""})
    assert len(everything) == math.comb(different, 2)
    assert set(few) <= set(everything)
    assert len(few) == min(count or len(everything), len(everything))
    assert list(draw_pairs(samples[::-1], seed, count)) == few


def test_unfinished_samples_are_not_compared() -> None:
    samples = [_sample(0, "x"), _sample(1, "y", "length"), _sample(2, "z")]
    assert [(p.first, p.second) for p in draw_pairs(samples, 0, 0)] == [(0, 2)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("choices = ['1']", "choices: expected 2 texts"),
        ("pair = '{question}{first}'", "pair: expected a text with {question}, {first}, {second}"),
        ("form = 'table'", "form: expected text or chat"),
        ("colour = 'red'", "colour: expected no such field"),
        ("system = 'You are'", "system: expected it with form = chat alone"),
        ("stop = ['']", "stop: expected 0 to 20 texts, none empty"),
    ],
)
def test_a_template_with_a_mistake_is_refused_by_its_field(tmp_path, line, message) -> None:
    from tasks.compare.judge_prompt import JUDGES

    name = line.split(" = ")[0]
    kept = [
        one
        for one in (JUDGES / "notes.toml").read_text().splitlines()
        if one.split(" = ")[0] != name
    ]
    path = tmp_path / "mine.toml"
    path.write_text("\n".join([*kept, line]))
    with pytest.raises(UserError) as error:
        load_judge_prompt(str(path))
    assert f"mine.toml: {message}" in str(error.value)
