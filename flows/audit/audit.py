"""`restem audit`: a second checker over a sample of a finished run's verdicts.

What it gives is a dictionary (`audit`), which the page, the markdown and the console show:
    run, seed, limit (s), confidence, resamples, samples, problems, grouped_by, notes: [text];
    second: {name, version};
    strata: {accepted, refused, unsettled: {pairs, asked, equal, unequal, undecided}};
    undecided: {reason: pairs};
    agreement: {overall: interval, groups: {subject or level: {pairs, disagreements, agreement}}};
    bounds, estimates (None without labels): {accepted_wrong, refused_right, false_positive,
        false_negative: interval or None};
    labels: {direction: {disagreements, labelled, ours_wrong}};
    disagreements: {accepted, refused: [{pairs, reference, extracted, status, second_text,
        second_value, second_reference, problem, question, text}]}, the most common first.
Intervals are {value, low, high, problems}, or None where there is nothing to measure.

Not covered: programs, whose verdict is that of tests; errors that both checkers make.
"""

from __future__ import annotations

import importlib.metadata
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flows.audit.estimate import (
    How,
    Judged,
    agreement,
    bounds,
    decided,
    disagrees,
    estimates,
    weights,
)
from flows.audit.labels import Labels, check_out, read_labels, write_lines
from flows.audit.sample import Drawn, Stratum, draw
from tasks.errors import UserError
from tasks.rows import Json
from tasks.score.second.math_verify import LIMIT_SECONDS, NAME, Opinion, SecondChecker

# Enough pairs that a rate of 1% has an interval of about a point; minutes of work.
PAIRS = 2000
RESAMPLES = 2000
CONFIDENCE = 0.95
# Directions of disagreement.
SIDES = (Stratum.ACCEPTED, Stratum.REFUSED)


@dataclass(frozen=True)
class Options:
    """What a person may choose.

    Attributes:
        pairs: Unlike pairs to ask about; 0: all.
        seed: Of the draw and of the resampling.
        limit: Wall seconds for one pair.
        workers: Processes; 0: one a core.
        out: Where the disagreements go, to be labelled.
        labels: Where labels come from.
    """

    pairs: int = PAIRS
    seed: int = 0
    limit: float = LIMIT_SECONDS
    workers: int = 0
    out: Path | None = None
    labels: Path | None = None


def audit(run: str, options: Options, progress: Callable[[int, int], None]) -> Json:
    """Compare a run's verdicts with the second checker's opinions.

    Args:
        run: A run's id, its beginning, or `latest`.
        options: See Options.
        progress: Told how many of how many pairs are done.

    Raises:
        UserError: the run, an artifact of it, the labels or the output file is not as expected.
    """
    labels = read_labels(options.labels) if options.labels else {}
    if options.out:
        check_out(options.out, options.labels)
    drawn = draw(run, options.pairs, options.seed)
    judged = _ask(drawn, options, progress)
    disputed = [one for one in judged if disagrees(*one)]
    strangers = len(labels.keys() - {pair.id for pair, _ in disputed})
    if labels and strangers == len(labels):
        raise UserError(
            f"--labels {options.labels}: none of its ids is a disagreement of this audit; "
            "expected labels of this run, with the same --pairs and --seed"
        )
    if options.out:
        write_lines(options.out, disputed, labels)
    facts = _facts(drawn, judged, labels, options)
    if strangers:
        facts["notes"].append(
            f"{strangers} labels are of pairs that are no disagreement here, and were not used: "
            "take the same --pairs and --seed."
        )
    return facts


def _ask(drawn: Drawn, options: Options, progress: Callable[[int, int], None]) -> list[Judged]:
    workers = options.workers or os.cpu_count() or 1
    judged: list[Judged] = []
    with SecondChecker(workers, options.limit) as checker:
        opinions = checker.ask((pair.gold, pair.text) for pair in drawn.pairs)
        for pair, opinion in zip(drawn.pairs, opinions, strict=True):
            judged.append((pair, opinion))
            progress(len(judged), len(drawn.pairs))
    return judged


def _facts(drawn: Drawn, judged: Sequence[Judged], labels: Labels, options: Options) -> Json:
    how = How(RESAMPLES, CONFIDENCE, options.seed)
    both = decided(judged)
    weight = weights(both, drawn.sizes)
    return {
        "seed": options.seed,
        "limit": options.limit,
        "confidence": CONFIDENCE,
        "resamples": RESAMPLES,
        "samples": drawn.samples,
        "problems": drawn.problems,
        "grouped_by": drawn.grouped_by,
        "notes": list(drawn.notes),
        "second": {"name": NAME, "version": importlib.metadata.version(NAME)},
        "strata": {side.value: _stratum(side, drawn, judged) for side in Stratum},
        "undecided": dict(
            Counter(
                second.why for _, second in judged if second.opinion is Opinion.UNDECIDED
            ).most_common()
        ),
        "agreement": agreement(both, weight, how),
        "bounds": bounds(both, weight, how),
        "estimates": estimates(both, weight, labels, how) if labels else None,
        "labels": {side.value: _labelled(side, both, labels) for side in SIDES},
        "disagreements": {side.value: _patterns(side, both) for side in SIDES},
    }


def _stratum(side: Stratum, drawn: Drawn, judged: Sequence[Judged]) -> Json:
    found = Counter(second.opinion for pair, second in judged if pair.stratum is side)
    return {
        "pairs": drawn.sizes[side],
        "asked": found.total(),
        **{opinion.value: found[opinion] for opinion in Opinion},
    }


def _labelled(side: Stratum, both: Sequence[Judged], labels: Labels) -> Json:
    every = [pair for pair, second in both if pair.stratum is side and disagrees(pair, second)]
    known = [pair for pair in every if pair.id in labels]
    return {
        "disagreements": len(every),
        "labelled": len(known),
        "ours_wrong": sum(labels[pair.id] is (side is Stratum.REFUSED) for pair in known),
    }


def _patterns(side: Stratum, both: Sequence[Judged]) -> list[Json]:
    """Disagreements with equal readings together, the most common first, with one example."""
    groups: dict[tuple[str, ...], list[Judged]] = {}
    for pair, second in both:
        if pair.stratum is side and disagrees(pair, second):
            key = (pair.gold, pair.extracted, pair.status, second.answer.text, second.answer.value)
            groups.setdefault(key, []).append((pair, second))
    rows = []
    for found in sorted(groups.values(), key=len, reverse=True):
        pair, second = found[0]
        rows.append(
            {
                "pairs": len(found),
                "reference": pair.gold,
                "extracted": pair.extracted,
                "status": pair.status,
                "second_text": second.answer.text,
                "second_value": second.answer.value,
                "second_reference": second.gold.value or second.gold.text,
                "problem": pair.problem_id,
                "question": pair.question,
                "text": pair.text,
            }
        )
    return rows
