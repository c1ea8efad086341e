"""Finished runs side by side: the others against the first, on the problems that they share.

The statistics are those of an evaluation against another policy (tasks/evaluate/paired.py), over
problems of which id, question and reference are the same in both runs. The form of the result:

    first: label of the policy that the others are compared with; confidence: of all intervals;
    policies: [{label, run, iteration, digest, base, metrics: {name: interval},
        transfer: {benchmark: interval}, statuses, mean_tokens, truncated, cost}], each on all
        problems of its own run;
    runs: [{run, greedy: [{iteration, interval}]}];
    configuration: [{field, values: {run: text}}] of fields in which runs differ;
    comparisons: [{label, shared: {set: {problems, first, other}}, before, after: greedy accuracy
        on the shared test problems, metrics: {name: interval of the difference}, transfer:
        {benchmark: the same}, mcnemar: {solved, lost, p, p_holm}, bins, regression, crossing,
        solved, lost: [texts], artifacts: {shared, first, other}}];
    warnings: [text].

Not covered: the spread between seeds of sampling and training, for which runs of several seeds are
needed; runs that are not finished.
"""

from __future__ import annotations

from flows.compare.read import TRANSFER, Policy, Tried, read_policies
from flows.evaluate.paired import SEED, SHOWN, compared, flags
from flows.evaluate.tables import difference
from flows.report.cost import costs
from flows.report.values import as_interval, flat
from tasks.dag.step_names import DRAW, FINETUNE, GENERATE, line_name
from tasks.errors import UserError
from tasks.evaluate.intervals import Interval, square_and_add
from tasks.evaluate.metrics import scores
from tasks.evaluate.paired import differences
from tasks.rows import Json, Row
from tasks.settings import MeasureSettings

# Settings of the evaluation that change what pass@k and votes are made of.
_DRAWN = ("temperature", "top_p")


def compare(names: list[str], shown: int = SHOWN) -> Json:
    """Compare policies of finished runs.

    Args:
        names: RUN or RUN:ITERATION, two or more; the first is what the others are compared with.
        shown: Most newly solved and newly lost problems of which the texts are kept, each.

    Raises:
        UserError: a name is wrong, a run is not finished, or two share no test problem.
    """
    return side_by_side(read_policies(names), shown)


def side_by_side(policies: list[Policy], shown: int = SHOWN) -> Json:
    """The comparison of policies that were read; arguments and errors are those of `compare`."""
    first, *others = policies
    confidence = first.config.evaluation.confidence
    found: Json = {
        "first": first.label,
        "confidence": confidence,
        "policies": [_policy(one) for one in policies],
        "runs": _runs(policies),
        "configuration": _differing(policies),
        "comparisons": [_comparison(first, other, shown) for other in others],
        "warnings": [text for other in others for text in _remarks(first, other)],
    }
    _flag(found)
    return found


def same_problems(first: list[Row], other: list[Row]) -> set[str]:
    """Ids of problems that are the same in both: an id alone may be another file's."""
    known = {row["id"]: (row["question"], row["reference"]) for row in first}
    return {
        row["id"] for row in other if known.get(row["id"]) == (row["question"], row["reference"])
    }


def _shared(first: Tried, other: Tried) -> set[str]:
    """Ids of the same problems that both policies tried."""
    return same_problems(first.problems, other.problems) & first.ids & other.ids


def _comparison(first: Policy, other: Policy, shown: int) -> Json:
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
    measure = _measure(first, other)
    found = compared(before, after, measure.model_dump(), hard_for=first.base_sampled, shown=shown)
    elsewhere = _elsewhere(first, other, sets, measure)
    if gap := _gap(elsewhere.get("train"), as_interval(found["metrics"]["greedy"])):
        elsewhere["gap"] = gap
    for name, m in elsewhere.items():
        if not name.startswith(TRANSFER):
            found["metrics"][name] = m.to_json()
    mine, theirs = ({line["artifact"] for line in one.lines} for one in (first, other))
    return {
        "label": other.label,
        "shared": {
            name: {
                "problems": len(ids),
                "first": len(first.sets[name].ids),
                "other": len(other.sets[name].ids),
            }
            for name, ids in sets.items()
        },
        "before": _mean(before),
        "after": _mean(after),
        "transfer": {
            name.removeprefix(TRANSFER): m.to_json()
            for name, m in elsewhere.items()
            if name.startswith(TRANSFER)
        },
        "artifacts": {"shared": len(mine & theirs), "first": len(mine), "other": len(theirs)},
        **found,
    }


def _measure(first: Policy, other: Policy) -> MeasureSettings:
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
    first: Policy, other: Policy, sets: dict[str, set[str]], measure: MeasureSettings
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
    return differences(mine, theirs, measure.bootstrap, measure.confidence, SEED)


def _gap(train: Interval | None, greedy: Interval | None) -> Interval | None:
    """The difference of two train-test gaps, from the differences on these two sets."""
    if train is None or greedy is None:
        return None
    low, high = square_and_add(train, greedy)
    return Interval(train.value - greedy.value, low, high, min(train.problems, greedy.problems))


def _mean(tried: Tried) -> float:
    values = scores(tried.greedy)
    return sum(values.values()) / len(values)


def _policy(one: Policy) -> Json:
    said = one.measured
    return {
        "label": one.label,
        "run": one.run,
        "iteration": one.number,
        "digest": one.digest,
        "base": one.config.model.base,
        "metrics": said["metrics"],
        "transfer": {name: of["greedy"] for name, of in (said.get("transfer") or {}).items()},
        **{name: said.get(name) for name in ("statuses", "mean_tokens", "truncated")},
        "cost": _cost(one.lines),
    }


def _cost(lines: list[Json]) -> Json:
    """What it took to make and measure a policy, by the manifests of the artifacts."""

    def total(name: str, *steps: str) -> int:
        return sum(line[name] for line in lines if line["step"].startswith(steps))

    made = costs(lines)["total"]["made"]
    return {
        "drawn": total("rows", line_name(GENERATE, DRAW)),
        "samples": total("rows", f"{GENERATE} "),
        "sampled_tokens": total("tokens", f"{GENERATE} "),
        "trained_tokens": total("tokens", FINETUNE),
        **{name: made[name] for name in made if name != "tokens"},
    }


def _runs(policies: list[Policy]) -> list[Json]:
    """Greedy accuracy by iteration of each run."""
    return [
        {
            "run": run,
            "greedy": [
                {"iteration": now["iteration"], **now["metrics"]["greedy"]}
                for now in one.iterations
                if "greedy" in now["metrics"]
            ],
        }
        for run, one in {one.run: one for one in policies}.items()
    ]


def _differing(policies: list[Policy]) -> list[Json]:
    """Fields in which the configurations differ; a dash where one has no such field."""
    fields = {one.run: dict(flat(one.config.model_dump(mode="json"))) for one in policies}
    names = dict.fromkeys(name for of in fields.values() for name in of)
    found = [
        {"field": name, "values": {run: of.get(name, "–") for run, of in fields.items()}}
        for name in names
    ]
    return [one for one in found if len({*one["values"].values()}) > 1]


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


def _flag(found: Json) -> None:
    """Add p-values corrected over the comparisons, and warnings of what became worse."""
    first, *others = found["policies"]
    flags(
        {
            "against": found["first"],
            "warnings": found["warnings"],
            "benchmarks": [
                {"name": policy["label"], "policies": [policy], "comparison": comparison}
                for policy, comparison in zip(
                    (first, *others), (None, *found["comparisons"]), strict=True
                )
            ],
        },
        found["confidence"],
    )
    for one in found["comparisons"]:
        found["warnings"] += [
            f"{one['label']}: regression against {found['first']} on {name}: greedy "
            f"{difference(raw)} points"
            for name, raw in one["transfer"].items()
            if raw["high"] < 0
        ]
