"""What a run says of itself that its reader should know."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flows.orchestrator.alarm import parted
from flows.rest_em.m_step import Improved
from flows.rest_em.results import PolicyReport
from tasks.evaluate.intervals import Interval
from tasks.evaluate.labels import LabelMetrics
from tasks.evaluate.results import Metrics
from tasks.store.manifest import Stats


def overlap_lines(found: int, problems: int, words: int) -> Iterator[str]:
    """What a run says of the training problems that it does not sample; nothing of none.

    Args:
        found: How many there are.
        problems: Of training.
        words: Of a run that two questions share.
    """
    if found:
        yield (
            f"{found:,} of {problems:,} training problems share {words} words in a row with a test "
            "problem, or are one (filter.decontaminate_ngram), and are not sampled"
        )


def too_few(number: int, made: Improved, thresholds: list[float]) -> str:
    """Why an iteration made no policy, or none for its highest thresholds."""
    if made.policy is None:
        return (
            f"iteration {number}: no sample was accepted, so there is nothing to "
            "train on; the loop ends with the policy it has"
        )
    return (
        f"iteration {number}: no sample has a reward of {made.threshold} or more, so the Improve "
        f"steps of {thresholds} from there on were left out"
    )


def failed_line(number: int, reward: str, stats: Sequence[Stats], total: int) -> str:
    """How often a reward of the user's own failed; empty where it never did.

    Args:
        number: Of the iteration.
        reward: What it is called.
        stats: Of the shards of verdicts.
        total: Samples in them.
    """
    failed = sum(one.failed or 0 for one in stats)
    if not failed:
        return ""
    first = next(one.note for one in stats if one.failed)
    return (
        f"iteration {number}: {reward} failed on {failed:,} of {total:,} samples, which are "
        f"checker errors with reward 0; one shard: {first}"
    )


def alarm_lines(policies: Sequence[PolicyReport]) -> list[str]:
    """The alarms about proxy rewards, for the end of a run."""
    found = ((now.iteration, parted(now.proxy)) for now in policies if now.proxy)
    return [f"warning: {alarm.words(number)}" for number, alarm in found if alarm]


def label_lines(number: int, found: LabelMetrics) -> Iterator[str]:
    """What a run says of labels and a reward model that are worth little; nothing of good ones.

    Args:
        number: Of the iteration.
        found: What was measured.
    """
    if found.lost:
        yield (
            f"iteration {number}: {found.lost:,} of {found.pairs:,} pairs got no label and are not "
            "fit on"
        )
    if found.alignment and (agreed := found.alignment.agreement).low <= 0.5:
        yield (
            f"iteration {number}: the labels are right on {_share(agreed)} of the pairs, which is "
            "no more than chance gives"
        )
    if (model := found.model) and not model.beats_nulls:
        yield (
            f"iteration {number}: the reward model agrees with {_share(model.accuracy)} of the "
            f"held-out labels, which may be no better than coins (50%) or the longer sample "
            f"({100 * model.longer.value:.1f}%)"
        )


def _share(m: Interval) -> str:
    return f"{100 * m.value:.1f}% [{100 * m.low:.1f}, {100 * m.high:.1f}]"


def narrowed_line(first: Metrics, last: Metrics, number: int) -> str:
    """What to say of a policy that solves fewer problems in many tries than the base; "" of others.

    Args:
        first: Of the base.
        last: Of the policy.
        number: Of the policy.
    """
    names = [name for name in first.metrics if name.startswith("pass@") and name in last.metrics]
    fallen = [name for name in names if last.metrics[name].high < first.metrics[name].low]
    if not fallen:
        return ""
    name = fallen[-1]
    before, now = first.metrics[name].value, last.metrics[name].value
    return (
        f"iteration {number}: {name} fell from {100 * before:.1f} to {100 * now:.1f}: the policy "
        "solves fewer problems in many tries than the base. What helps: finetune.blend (a mean "
        "with the base), filter.select = diverse, filter.cap_by = difficulty, filter.max_pass_rate,"
        " fewer finetune.epochs"
    )
