"""Who prefers which of two samples, and how surely: the labels p behind a reward model.

p is the probability that the pair's first sample is the better one.

- A *judge* is a model (Lee et al., arXiv 2309.00267, section 2): softmax of the log-probabilities
  of the two choices, for both orders, and the mean of both; before it, where that is asked for, a
  reason that it writes greedily.
- The *oracle* knows the rewards of the checker: 1, 0, or 1/2 where they are equal.
- *People* are simulated where there are none: three of them, each prefers the better one with the
  probability of the Bradley-Terry model on these rewards; p is the share of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from tasks.compare.draw import Pair
from tasks.compare.judge_prompt import JudgePrompt
from tasks.dag.contracts import Engine
from tasks.decoding.request import Sampling
from tasks.decoding.tokens import Prompt
from tasks.rows import Row, sample_seed
from tasks.score.notes import preference_of_rewards

JUDGED, JUDGE_ERROR = "judged", "judge_error"
ANNOTATORS = 3

# An asked text, and behind it what the judge is to go on from, to what an engine is given.
Render = Callable[[str, str], Prompt]


@dataclass(frozen=True)
class Judge:
    """A model that is asked.

    Attributes:
        engine: Runs it.
        prompt: What it is asked.
        render: Makes an engine's prompt of what is asked, and of what the judge has said so far.
        sampling: Changes what engines are told for it (Chat.sampling), or nothing.
        swap: Whether both orders are asked.
        reasoning: Most tokens of a reason; 0: none is asked for.
    """

    engine: Engine
    prompt: JudgePrompt
    render: Render
    sampling: Callable[[Sampling], Sampling]
    swap: bool
    reasoning: int

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
                reasoning=bool(self.reasoning),
            )
            for order in orders
            for pair in pairs
        ]
        reasons = self._reasons(asked)
        known = [place for place, reason in enumerate(reasons) if reason is not None]
        behind = self.prompt.after if self.reasoning else ""
        prompts = [self.render(asked[place], f"{reasons[place]}{behind}") for place in known]
        found = self.engine.choose(prompts, self.prompt.choices)
        first: dict[int, float] = {
            place: _softmax(*values) for place, values in zip(known, found, strict=True)
        }
        for place, pair in enumerate(pairs):
            places = range(place, len(asked), len(pairs))
            shown = [first.get(at) for at in places]
            if self.swap and shown[1] is not None:
                shown[1] = 1.0 - shown[1]
            yield preference_row(pair, shown, [reasons[at] or "" for at in places])

    def rate(self, questions: Sequence[str], answers: Sequence[str]) -> list[float]:
        """A reward in [0, 1] for each answer: the expectation of its score.

        Args:
            questions: Of each answer.
            answers: What is rated.
        """
        prompts = [
            self.render(self.prompt.rate(question, answer), "")
            for question, answer in zip(questions, answers, strict=True)
        ]
        found = np.array(self.engine.choose(prompts, self.prompt.scores))
        masses = np.exp(found - found.max(axis=1, keepdims=True))
        masses /= masses.sum(axis=1, keepdims=True)
        return (masses @ np.linspace(0.0, 1.0, len(self.prompt.scores))).tolist()

    def _reasons(self, asked: list[str]) -> list[str | None]:
        """What the judge writes first; None where the engine failed on it."""
        if not self.reasoning:
            return [""] * len(asked)
        prompts = [self.render(text, "") for text in asked]
        plain = Sampling(temperature=0.0, max_tokens=self.reasoning, stop=self.prompt.stop)
        requests = [(place, 0) for place in range(len(prompts))]
        found = self.engine.sample(prompts, requests, self.sampling(plain))
        return [None if one.finish == "error" else one.text.rstrip() for one in found]


def by_reward(
    pairs: Sequence[Pair], rewards: Mapping[tuple[str, int], float], *, people: bool, seed: int
) -> Iterator[Row]:
    """Rows of rows.PREFERENCE by the oracle, or by simulated people.

    Args:
        pairs: What to compare.
        rewards: Of the samples, by problem and index.
        people: Whether three simulated people say it.
        seed: Of what they say.
    """
    for pair in pairs:
        one, other = (rewards[pair.problem_id, index] for index in (pair.first, pair.second))
        p = 0.5 + 0.5 * float(np.sign(one - other))
        if people:
            named = f"{pair.problem_id}\x1f{pair.first}"
            draw = np.random.default_rng(sample_seed(seed, named, pair.second))
            says = draw.random(ANNOTATORS) < preference_of_rewards(one, other)
            p = float(says.mean())
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
