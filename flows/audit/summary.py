"""The last step of an audit: from pairs and opinions to counts, rates and disagreements."""

from __future__ import annotations

import importlib.metadata
from collections import Counter
from collections.abc import Sequence

from flows.audit.estimate import (
    CheckedPair,
    Resampling,
    agreement,
    bounds,
    decided,
    estimates,
    weights,
)
from flows.audit.labels import PairLabels
from flows.audit.results import AuditReport, Disagreement, LabelCounts, SecondName, StratumCounts
from flows.audit.sample import AuditSample, Stratum
from tasks.score.second.math_verify import NAME
from tasks.score.second.opinion import Opinion

RESAMPLES = 2000
CONFIDENCE = 0.95
# Directions of disagreement.
SIDES = (Stratum.ACCEPTED, Stratum.REFUSED)


def summarise(
    run: str,
    drawn: AuditSample,
    checked: Sequence[CheckedPair],
    labels: PairLabels,
    *,
    seed: int,
    limit: float,
) -> AuditReport:
    """What the opinions say of our checker."""
    how = Resampling(RESAMPLES, CONFIDENCE, seed)
    both = decided(checked)
    weight = weights(both, drawn.sizes)
    undecided = Counter(
        one.second.why for one in checked if one.second.opinion is Opinion.UNDECIDED
    )
    return AuditReport(
        run=run,
        seed=seed,
        limit=limit,
        confidence=CONFIDENCE,
        resamples=RESAMPLES,
        samples=drawn.samples,
        problems=drawn.problems,
        grouped_by=drawn.grouped_by,
        notes=drawn.notes,
        second=SecondName(NAME, importlib.metadata.version(NAME)),
        strata={side.value: _stratum(side, drawn, checked) for side in Stratum},
        undecided=dict(undecided.most_common()),
        agreement=agreement(both, weight, how),
        bounds=bounds(both, weight, how),
        estimates=estimates(both, weight, labels, how) if labels else None,
        labels={side.value: _labelled(side, both, labels) for side in SIDES},
        disagreements={side.value: _patterns(side, both) for side in SIDES},
    )


def _stratum(side: Stratum, drawn: AuditSample, checked: Sequence[CheckedPair]) -> StratumCounts:
    found = Counter(one.second.opinion for one in checked if one.pair.stratum is side)
    opinions = {opinion.value: found[opinion] for opinion in Opinion}
    return StratumCounts(pairs=drawn.sizes[side], asked=found.total(), **opinions)


def _labelled(side: Stratum, both: Sequence[CheckedPair], labels: PairLabels) -> LabelCounts:
    every = [one.pair for one in both if one.disagrees_on(side)]
    known = [pair for pair in every if pair.id in labels]
    wrong = sum(labels[pair.id] is (side is Stratum.REFUSED) for pair in known)
    return LabelCounts(len(every), len(known), wrong)


def _patterns(side: Stratum, both: Sequence[CheckedPair]) -> list[Disagreement]:
    """Disagreements with equal readings together, the most common first, with one example."""
    groups: dict[tuple[str, ...], list[CheckedPair]] = {}
    for one in both:
        if one.disagrees_on(side):
            pair, read = one.pair, one.second.answer
            key = (pair.gold, pair.extracted, pair.status, read.text, read.value)
            groups.setdefault(key, []).append(one)
    rows = []
    for found in sorted(groups.values(), key=len, reverse=True):
        pair, second = found[0].pair, found[0].second
        rows.append(
            Disagreement(
                pairs=len(found),
                reference=pair.gold,
                extracted=pair.extracted,
                status=pair.status,
                second_text=second.answer.text,
                second_value=second.answer.value,
                second_reference=second.gold.value or second.gold.text,
                problem=pair.problem_id,
                question=pair.question,
                text=pair.text,
            )
        )
    return rows
