"""Temperature and threshold of an iteration, chosen on the validation split (`sampling.search`).

B-STaR (Zeng et al., arXiv 2412.17256, section 3) watches whether a policy still explores (its
samples differ) and whether the reward still tells good from bad. Both are in one figure, the
balance score of a problem, whose mean over problems is to be highest:

    min(u / wanted, 1) * u / n,

where n samples have enough reward, u of them are correct and unlike each other, and `wanted` is how
many rows of a problem training can use. With rewards that are 1 or 0 all kept samples are correct,
and what counts is how many unlike ones a temperature finds.

Validation problems are sampled at each temperature once an iteration; the thresholds share these
samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.caller import Caller
from flows.orchestrator.sampler import Sampler
from flows.orchestrator.shards import Draw, Shards
from tasks.rows import SAMPLES_FILE, VERDICTS_FILE, Row, Status, read_rows
from tasks.score.rewards import rewards_of
from tasks.solutions import plain_digest
from tasks.store.store import ArtifactRef

_PURPOSE = "search"


@dataclass(frozen=True)
class Found:
    """What an iteration samples and selects with.

    Attributes:
        temperature: Of sampling.
        min_reward: The threshold.
        balance: Mean balance score by temperature and threshold; empty where nothing was searched,
            or nobody knows it yet.
    """

    temperature: float
    min_reward: float
    balance: Mapping[tuple[float, float], float]

    @property
    def words(self) -> str:
        """For people; empty where nothing was searched."""
        if not self.balance:
            return ""
        tried = ", ".join(
            f"{temperature:g}/{reward:g}: {score:.3f}"
            for (temperature, reward), score in self.balance.items()
        )
        return (
            f"samples at temperature {self.temperature:g} and keeps rewards from "
            f"{self.min_reward:g}; balance score by temperature/threshold {tried}"
        )


def search(
    number: int,
    config: RestEmConfig,
    caller: Caller,
    sampler: Sampler,
    policy: ArtifactRef,
    shots: int,
) -> Found:
    """Choose for the iteration that samples from a policy; of equals the one named first.

    Args:
        number: Of the policy.
        config: Of the run.
        caller: Calls the steps.
        sampler: Samples the validation problems.
        policy: The policy.
        shots: Exemplars in its prompts.
    """
    rules, sampling = config.filter, config.sampling
    thresholds = rules.search or [rules.min_reward]
    if not sampling.search and not rules.search:
        return Found(sampling.temperature, rules.min_reward, {})
    temperatures = sampling.search or [sampling.temperature]
    wanted = min(rules.cap or sampling.search_samples, sampling.search_samples)
    balance: dict[tuple[float, float], float] = {}
    for temperature in temperatures:
        draw = Draw(
            {
                "temperature": temperature,
                "top_k": sampling.top_k,
                "top_p": sampling.top_p,
                "max_tokens": sampling.max_tokens,
            },
            config.seed,
            shots,
            sampling.search_samples,
            score=rules.checked_score,
            rewards=rewards_of(rules),
        )
        drawn = sampler.shards(number, f"{_PURPOSE} {temperature:g}", policy, "validation", draw)
        if any(caller.pending(ref) for ref in drawn.verdicts):
            return Found(temperatures[0], thresholds[0], {})
        rows = list(_rows(caller, drawn))
        for threshold in thresholds:
            balance[temperature, threshold] = balance_score(rows, threshold, wanted)
    best = max(balance, key=balance.__getitem__)  # max takes the first of equals
    return Found(*best, balance)


def balance_score(rows: Sequence[Row], threshold: float, wanted: int) -> float:
    """The mean balance score of problems, in [0, 1].

    Args:
        rows: Samples with `problem_id`, `reward`, `status` and `text`.
        threshold: Reward that a kept sample has at least.
        wanted: Rows of a problem that training can use.
    """
    kept: dict[str, int] = {}
    unlike: dict[str, set[bytes]] = {}
    for row in rows:
        name = row["problem_id"]
        count, texts = kept.setdefault(name, 0), unlike.setdefault(name, set())
        if row["reward"] >= threshold - 1e-6:  # rewards are stored in 32 bits
            kept[name] = count + 1
            if row["status"] == Status.CORRECT:
                texts.add(plain_digest(row["text"]))
    scores = [
        min(len(unlike[name]) / wanted, 1.0) * len(unlike[name]) / kept[name] if kept[name] else 0.0
        for name in kept
    ]
    return sum(scores) / len(scores) if scores else 0.0


def _rows(caller: Caller, drawn: Shards) -> Iterable[Row]:
    for part in drawn.parts:
        for samples, verdicts in part:
            texts = read_rows(caller.store.path(samples) / SAMPLES_FILE, ["text"])
            judged = read_rows(
                caller.store.path(verdicts) / VERDICTS_FILE, ["problem_id", "reward", "status"]
            )
            for text, verdict in zip(texts, judged, strict=True):
                yield {**text, **verdict}
