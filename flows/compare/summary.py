"""The last step of a comparison: statistics on shared problems, costs, and what to know of them.

The statistics are those of an evaluation against another policy (tasks/evaluate/paired.py), over
problems of which id, question and reference are the same in both runs.
"""

from __future__ import annotations

from dataclasses import replace

from flows.compare.read import Policy, Tried
from flows.compare.results import (
    ComparedPolicy,
    ComparisonReport,
    FieldDifference,
    IterationGreedy,
    PolicyCost,
    RunComparison,
    RunCurve,
    SharedArtifacts,
    SharedProblems,
)
from flows.evaluate.paired import (
    BOOTSTRAP_SEED,
    compare_policies,
    corrected,
    regression_warnings,
    unchecked_warnings,
)
from flows.report.cost import costs
from flows.report.values import change_cell, flat
from flows.rest_em.inputs import TRANSFER
from flows.runs.journal_forms import StepLine
from tasks.dag.step_names import DRAW, FINETUNE, GENERATE, line_name
from tasks.errors import UserError
from tasks.evaluate.intervals import Interval, square_and_add
from tasks.evaluate.metrics import scores
from tasks.evaluate.paired import differences
from tasks.rows import Row
from tasks.settings import MeasureSettings

# Settings of the evaluation that change what pass@k and votes are made of.
_DRAWN = ("temperature", "top_p")


def summarise(policies: list[Policy], shown: int) -> ComparisonReport:
    """The comparison of policies that were read.

    Raises:
        UserError: two share no test problem.
    """
    first, *others = policies
    confidence = first.config.evaluation.confidence
    found = [_comparison(first, other, shown) for other in others]
    adjusted = corrected(found)
    comparisons = [replace(a, mcnemar=b.mcnemar) for a, b in zip(found, adjusted, strict=True)]
    warnings = [text for other in others for text in _remarks(first, other)]
    named = {one.label: one for one in comparisons}
    warnings += regression_warnings(named, first.label, confidence)
    for one in policies:
        warnings += unchecked_warnings(one.label, one.report.statuses)
    warnings += [
        f"{one.label}: regression against {first.label} on {name}: greedy {change_cell(m)} points"
        for one in comparisons
        for name, m in one.transfer.items()
        if m.high < 0
    ]
    return ComparisonReport(
        first=first.label,
        confidence=confidence,
        policies=[_policy(one) for one in policies],
        runs=_curves(policies),
        configuration=_differing(policies),
        comparisons=comparisons,
        warnings=warnings,
    )


def same_problems(first: list[Row], other: list[Row]) -> set[str]:
    """Ids of problems that are the same in both: an id alone may be another file's."""
    known = {row["id"]: (row["question"], row["reference"]) for row in first}
    return {
        row["id"] for row in other if known.get(row["id"]) == (row["question"], row["reference"])
    }


def _shared(first: Tried, other: Tried) -> set[str]:
    """Ids of the same problems that both policies tried."""
    return same_problems(first.problems, other.problems) & first.ids & other.ids


def _comparison(first: Policy, other: Policy, shown: int) -> RunComparison:
    sets = {
        name: _shared(tried, other.sets[name])
        for name, tried in first.sets.items()
        if name in other.sets
    }
    before, after = first.sets["test"], other.sets["test"]
    if not sets["test"]:
        raise UserError(
            f"RUN {other.label}: none of its {len(after.ids)} test problems is among the "
            f"{len(before.ids)} of {first.label}; expected runs tested on the same problems"
        )
    before, after = before.only(sets["test"]), after.only(sets["test"])
    settings = _settings(first, other)
    found = compare_policies(before, after, settings, hard_for=first.base_sampled, shown=shown)
    elsewhere = _elsewhere(first, other, sets, settings)
    if gap := _gap(elsewhere.get("train"), found.greedy):
        elsewhere["gap"] = gap
    own = {name: m for name, m in elsewhere.items() if not name.startswith(TRANSFER)}
    mine, theirs = ({line.artifact for line in one.lines} for one in (first, other))
    return RunComparison(
        **vars(replace(found, metrics={**found.metrics, **own})),
        label=other.label,
        shared={
            name: SharedProblems(len(ids), len(first.sets[name].ids), len(other.sets[name].ids))
            for name, ids in sets.items()
        },
        before=_mean(before),
        after=_mean(after),
        transfer={
            name.removeprefix(TRANSFER): m
            for name, m in elsewhere.items()
            if name.startswith(TRANSFER)
        },
        artifacts=SharedArtifacts(len(mine & theirs), len(mine), len(theirs)),
    )


def _settings(first: Policy, other: Policy) -> MeasureSettings:
    """What can be compared: sizes that both were measured at; intervals as the first's."""
    a, b = first.config.evaluation, other.config.evaluation
    return MeasureSettings(
        pass_k=sorted({*a.pass_k} & {*b.pass_k}),
        majority=sorted({*a.majority} & {*b.majority}),
        samples=min(a.samples, b.samples),
        bootstrap=a.bootstrap,
        confidence=a.confidence,
    )


def _elsewhere(
    first: Policy, other: Policy, sets: dict[str, set[str]], settings: MeasureSettings
) -> dict[str, Interval]:
    """Differences in greedy accuracy on all sets but the test problems."""
    mine, theirs = (
        {
            name: {key: value for key, value in scores(of.sets[name].greedy).items() if key in ids}
            for name, ids in sets.items()
            if name != "test"
        }
        for of in (first, other)
    )
    return differences(mine, theirs, settings.bootstrap, settings.confidence, BOOTSTRAP_SEED)


def _gap(train: Interval | None, greedy: Interval | None) -> Interval | None:
    """The difference of two train-test gaps, from the differences on these two sets."""
    if train is None or greedy is None:
        return None
    low, high = square_and_add(train, greedy)
    return Interval(train.value - greedy.value, low, high, min(train.problems, greedy.problems))


def _mean(tried: Tried) -> float:
    values = scores(tried.greedy)
    return sum(values.values()) / len(values)


def _policy(one: Policy) -> ComparedPolicy:
    said = one.report
    return ComparedPolicy(
        label=one.label,
        run=one.run,
        iteration=one.number,
        digest=one.digest,
        base=one.config.model.base,
        metrics=said.metrics,
        transfer={name: found.greedy for name, found in said.transfer.items()},
        statuses=said.statuses,
        mean_tokens=said.mean_tokens,
        truncated=said.truncated,
        cost=_cost(one.lines),
    )


def _cost(lines: list[StepLine]) -> PolicyCost:
    """What it took to make and evaluate a policy, by the manifests of the artifacts."""

    def total(name: str, *steps: str) -> int:
        return sum(getattr(line, name) for line in lines if line.step.startswith(steps))

    made = costs(line.cost for line in lines).total.made
    return PolicyCost(
        drawn=total("rows", line_name(GENERATE, DRAW)),
        samples=total("rows", f"{GENERATE} "),
        sampled_tokens=total("tokens", f"{GENERATE} "),
        trained_tokens=total("tokens", FINETUNE),
        **{name: value for name, value in made.items() if name != "tokens"},
    )


def _curves(policies: list[Policy]) -> list[RunCurve]:
    """Greedy accuracy by iteration of each run."""
    return [
        RunCurve(
            run,
            [
                IterationGreedy(**vars(now.greedy), iteration=now.iteration)
                for now in one.iterations
            ],
        )
        for run, one in {one.run: one for one in policies}.items()
    ]


def _differing(policies: list[Policy]) -> list[FieldDifference]:
    """Fields in which the configurations differ; a dash where one has no such field."""
    fields = {one.run: dict(flat(one.config.model_dump(mode="json"))) for one in policies}
    names = dict.fromkeys(name for of in fields.values() for name in of)
    found = [
        FieldDifference(name, {run: of.get(name, "–") for run, of in fields.items()})
        for name in names
    ]
    return [one for one in found if len({*one.values.values()}) > 1]


def _remarks(first: Policy, other: Policy) -> list[str]:
    """What a reader must know before reading numbers."""
    said = []
    before, after = first.sets["test"], other.sets["test"]
    if not (ids := _shared(before, after)) >= before.ids | after.ids:
        said.append(
            f"{other.label}: the comparison is on {len(ids)} test problems that both were tested "
            f"on, of its {len(after.ids)} and the {len(before.ids)} of {first.label}; what each "
            "is measured at, and accuracy by iteration, is on all of its own"
        )
    if first.digest == other.digest:
        said.append(f"{other.label}: it is the same policy as {first.label}")
    a, b = first.config.evaluation, other.config.evaluation
    otherwise = [name for name in _DRAWN if getattr(a, name) != getattr(b, name)]
    if otherwise and a.samples and b.samples:
        said.append(
            f"{other.label}: pass@k and votes are of samples drawn otherwise than those of "
            f"{first.label} (evaluation.{', evaluation.'.join(otherwise)})"
        )
    return said
