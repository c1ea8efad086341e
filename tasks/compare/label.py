"""Who prefers which of two samples, and how surely: the labels p behind a reward model.

p is the probability that the pair's first sample is the better one.

- A *judge* is a model (Lee et al., arXiv 2309.00267, section 2): softmax of the log-probabilities
  of the two choices, for both orders, and the mean of both; before it, where that is asked for, a
  reason that it writes, or several, whose labels' mean counts (self-consistency, their section
  2.1.3).
- The *oracle* knows the rewards of the checker: 1, 0, or 1/2 where they are equal.
- *People* are simulated where there are none: three of them, each prefers the better one with the
  probability of the Bradley-Terry model on these rewards; p is the share of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from tasks.compare.draw import Pair
from tasks.compare.judge_prompt import JudgePrompt
from tasks.dag.contracts import Engine
from tasks.decoding.request import Completions, Sampling, Weights
from tasks.decoding.tokens import Prompt
from tasks.rows import Row, sample_seed
from tasks.score.notes import preference_of_rewards

JUDGED, JUDGE_ERROR = "judged", "judge_error"
ANNOTATORS = 3

# An asked text, and behind it what the judge is to go on from, to what an engine is given.
Render = Callable[[str, str], Prompt]


@dataclass
class Costs:
    """What a judge has cost so far; the last two of a hosted one alone.

    Attributes:
        tokens: That it wrote.
        engine_seconds: Of the engine at work.
        input_tokens: That it read.
        money: By the prices of the run.
    """

    tokens: int = 0
    engine_seconds: float = 0.0
    input_tokens: int | None = None
    money: float | None = None

    def add(self, found: object) -> None:
        """Count what an engine gave."""
        if isinstance(found, Completions):
            self.tokens += sum(one.tokens for one in found)
        elif isinstance(found, Weights):
            self.tokens += found.tokens
        else:
            return
        self.engine_seconds += found.engine_seconds
        if found.money is not None:
            self.money = (self.money or 0.0) + found.money
            self.input_tokens = (self.input_tokens or 0) + (found.input_tokens or 0)


@dataclass(frozen=True)
class Reasoning:
    """What a judge writes before it chooses.

    Attributes:
        tokens: Most of a reason.
        reasons: How many for each answer; the mean of their labels counts.
        temperature: That they are drawn with; 0: greedy.
        seed: Of the draw.
    """

    tokens: int
    reasons: int = 1
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Judge:
    """A model that is asked.

    Attributes:
        engine: Runs it.
        prompt: What it is asked.
        render: Makes an engine's prompt of what is asked, and of what the judge has said so far.
        sampling: Changes what engines are told for it (Chat.sampling), or nothing.
        swap: Whether both orders are asked.
        reasoning: What it writes before; None: nothing.
        costs: Counted as it is asked.
    """

    engine: Engine
    prompt: JudgePrompt
    render: Render
    sampling: Callable[[Sampling], Sampling]
    swap: bool
    reasoning: Reasoning | None = None
    costs: Costs = field(default_factory=Costs)

    def label(self, pairs: Sequence[Pair], questions: Mapping[str, str]) -> Iterator[Row]:
        """Rows of rows.PREFERENCE for these pairs, in order.

        Args:
            pairs: What to compare.
            questions: Of each problem.
        """
        orders = ((0, 1), (1, 0)) if self.swap else ((0, 1),)
        asked = [
            self.prompt.compare(
                questions[pair.problem_id],
                *(pair.texts[place] for place in order),
                reasoning=self.reasoning is not None,
            )
            for order in orders
            for pair in pairs
        ]
        reasons = self._reasons(asked, [pair for _ in orders for pair in pairs])
        behind = self.prompt.after if self.reasoning else ""
        known = [
            (place, f"{reason}{behind}")
            for place, some in enumerate(reasons)
            for reason in some
            if reason is not None
        ]
        prompts = [self.render(asked[place], said) for place, said in known]
        found: dict[int, list[float]] = {}
        for (place, _), values in zip(
            known, self._weights(prompts, self.prompt.choices), strict=True
        ):
            if values is not None:
                found.setdefault(place, []).append(_softmax(*values))
        first = {place: sum(some) / len(some) for place, some in found.items()}
        for place, pair in enumerate(pairs):
            places = range(place, len(asked), len(pairs))
            shown = [first.get(at) for at in places]
            if self.swap and shown[1] is not None:
                shown[1] = 1.0 - shown[1]
            said = ["\n\n".join(filter(None, reasons[at])) for at in places]
            yield preference_row(pair, shown, said)

    def rate(self, questions: Sequence[str], answers: Sequence[str]) -> list[float | None]:
        """A reward in [0, 1] for each answer, the expectation of its score; None: it has none.

        Args:
            questions: Of each answer.
            answers: What is rated.
        """
        prompts = [
            self.render(self.prompt.rate(question, answer), "")
            for question, answer in zip(questions, answers, strict=True)
        ]
        worth = np.linspace(0.0, 1.0, len(self.prompt.scores))
        rewards: list[float | None] = []
        for values in self._weights(prompts, self.prompt.scores):
            if values is None:
                rewards.append(None)
                continue
            masses = np.exp(np.array(values) - max(values))
            rewards.append(float(masses @ worth / masses.sum()))
        return rewards

    def _weights(
        self, prompts: Sequence[Prompt], choices: Sequence[str]
    ) -> Sequence[list[float] | None]:
        """Log-probabilities of the choices behind each prompt; None where there are none."""
        found = self.engine.choose(prompts, choices)
        self.costs.add(found)
        return found

    def _reasons(self, asked: list[str], pairs: Sequence[Pair]) -> list[list[str | None]]:
        """What the judge writes first; None where the engine failed on it, or it refused.

        Args:
            asked: What it is asked.
            pairs: About which pair, each order apart.
        """
        how = self.reasoning
        if how is None:
            return [[""]] * len(asked)
        prompts = [self.render(text, "") for text in asked]
        plain = Sampling(temperature=how.temperature, max_tokens=how.tokens, stop=self.prompt.stop)
        # A pair that was asked in the other order before is of the second order.
        seen: set[Pair] = set()
        requests: list[tuple[int, int]] = []
        for place, pair in enumerate(pairs):
            named = f"{pair.problem_id}\x1f{pair.first}\x1f{pair.second}\x1f{pair in seen}"
            seen.add(pair)
            requests += [(place, sample_seed(how.seed, named, n)) for n in range(how.reasons)]
        found = self.engine.sample(prompts, requests, self.sampling(plain))
        self.costs.add(found)
        reasons: list[list[str | None]] = [[] for _ in asked]
        for (place, _), one in zip(requests, found, strict=True):
            lost = one.finish in ("error", "refused")
            reasons[place].append(None if lost else one.text.rstrip())
        return reasons


def by_reward(
    pairs: Sequence[Pair], rewards: Mapping[tuple[str, int], float], *, by: str, seed: int
) -> Iterator[Row]:
    """Rows of rows.PREFERENCE by the oracle, by simulated people or by a coin.

    Args:
        pairs: What to compare.
        rewards: Of the samples, by problem and index.
        by: `labels` of settings.judge, but judge.
        seed: Of what people and the coin say.
    """
    for pair in pairs:
        one, other = (rewards[pair.problem_id, index] for index in (pair.first, pair.second))
        p = 0.5 + 0.5 * float(np.sign(one - other))
        if by != "oracle":
            named = f"{pair.problem_id}\x1f{pair.first}"
            draw = np.random.default_rng(sample_seed(seed, named, pair.second))
            if by == "people":
                p = float((draw.random(ANNOTATORS) < preference_of_rewards(one, other)).mean())
            else:
                p = float(draw.integers(2))
        yield preference_row(pair, [p], [""])


def preference_row(pair: Pair, shown: Sequence[float | None], reasons: Sequence[str]) -> Row:
    """A row of rows.PREFERENCE.

    Args:
        pair: The samples.
        shown: p where the pair's first sample was shown first and, if that was asked too, second.
        reasons: Of both.
    """
    known = [p for p in shown if p is not None]
    whole = len(known) == len(shown)
    both, why = chain(shown, [None] * 2), chain(reasons, [""] * 2)
    return {
        "problem_id": pair.problem_id,
        "first": pair.first,
        "second": pair.second,
        "p": sum(known) / len(known) if whole else None,
        "p_first": next(both),
        "p_second": next(both),
        "reason_first": next(why),
        "reason_second": next(why),
        "status": JUDGED if whole else JUDGE_ERROR,
    }


def _softmax(one: float, other: float) -> float:
    """Probability of the first of two log-probabilities."""
    return 1.0 / (1.0 + math.exp(min(other - one, 700.0)))
