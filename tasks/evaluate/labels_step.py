"""The steps that measure what rewards a run: its labels, its reward model, and its proxy reward."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tasks.dag.runtime import Runtime
from tasks.dag.shard_inputs import inputs_of, rows_of, verdicts_of
from tasks.dag.step import Call, step
from tasks.dag.step_names import MEASURE_LABELS, MEASURE_PROXY
from tasks.evaluate.alignment import Alignment, PairKey, align, over_pairs
from tasks.evaluate.intervals import Interval
from tasks.evaluate.labels import LabelMetrics, Reference, ShownPair, drawn_to_show
from tasks.evaluate.proxy import ProxyMetrics, Rewards, compare_rewards
from tasks.evaluate.reward_model import ModelAccuracy, model_accuracy
from tasks.rows import (
    HELD_OUT_FILE,
    PREFERENCES_FILE,
    PROBLEMS_FILE,
    Json,
    Row,
    Status,
    answer_of,
    read_rows,
)
from tasks.settings import MeasureSettings
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

# Inputs.
PREFERENCES, PEOPLE, MODEL, NULL = "preferences", "people", "reward model", "null model"
_DRAWN, _RATED, _CHECKED, _RATER = "drawn", "rated", "checked", "rater"
# Intervals are a property of the samples, so equal samples have equal intervals for every run.
_BOOTSTRAP_SEED = 0
# Of these nobody knows what the sample is worth.
_UNKNOWN = {Status.CHECKER_ERROR, Status.SANDBOX_ERROR, Status.ENGINE_ERROR, Status.UNGRADED}

Key = tuple[str, int]
Refs = Sequence[ArtifactRef]


def labels_call(
    label: str,
    settings: MeasureSettings,
    *,
    labels: str,
    seed: int,
    problems: ArtifactRef,
    samples: Refs,
    verdicts: Refs,
    preferences: Refs,
    people: Refs = (),
    model: ArtifactRef | None = None,
    nulls: Refs = (),
) -> Call:
    """The call that measures the labels of an iteration, and the model that was fit on them.

    Args:
        label: Name of the task run.
        settings: How intervals are made.
        labels: Who gave them, as in `judge.labels`.
        seed: Of the draw of pairs to show.
        problems: Artifact in which the problems lie.
        samples: That were compared, and in the same order
        verdicts: the checker's verdicts on them.
        preferences: Their labels.
        people: Labels of people on the same pairs, which are the reference in the checker's place.
        model: The reward model.
        nulls: Those that were fit on shuffled labels.
    """
    inputs = {"problems": problems, **inputs_of(_DRAWN, samples, verdicts)}
    inputs |= {f"{PREFERENCES} {n}": ref for n, ref in enumerate(preferences)}
    inputs |= {f"{PEOPLE} {n}": ref for n, ref in enumerate(people)}
    inputs |= {f"{NULL} {n}": ref for n, ref in enumerate(nulls)}
    inputs |= {MODEL: model} if model is not None else {}
    keyed = {"labels": labels, "seed": seed, **_bounds(settings)}
    return Call(measure_labels, label, keyed, inputs)


def proxy_call(
    label: str,
    settings: MeasureSettings,
    *,
    rater: ArtifactRef,
    policies: Mapping[int, tuple[Refs, Refs, Refs]],
) -> Call:
    """The call that compares the rewards that policies are trained for with the oracle's.

    Args:
        label: Name of the task run.
        settings: How intervals are made.
        rater: The reward model or the judge.
        policies: By number: samples on the same problems, the rater's verdicts on them, and the
            checker's; the newest last.
    """
    inputs = {_RATER: rater}
    for number, (samples, rated, checked) in policies.items():
        inputs |= inputs_of(f"p{number} {_RATED}", samples, rated)
        inputs |= inputs_of(f"p{number} {_CHECKED}", samples, checked)
    keyed = {"policies": list(policies), **_bounds(settings)}
    return Call(measure_proxy, label, keyed, inputs)


@step(MEASURE_LABELS, "label-metrics")
def measure_labels(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write labels.json."""
    store, how = runtime.store, call.settings
    rows = list(_preferences(call, runtime, PREFERENCES))
    rewards: dict[Key, float] = {
        (row["problem_id"], row["index"]): row["reward"]
        for row in verdicts_of(store, call.inputs, _DRAWN)
        if row["status"] not in _UNKNOWN
    }
    apart = {_key(row): one for row in rows if (one := _difference(row, rewards)) is not None}
    oracle = {key: 0.5 + 0.5 * ((one > 0) - (one < 0)) for key, one in apart.items()}
    said = {
        _key(row): row["p"] for row in _preferences(call, runtime, PEOPLE) if row["p"] is not None
    }
    people = any(name.startswith(f"{PEOPLE} ") for name in call.inputs)
    reference: Reference = "people" if people else "checker"
    wanted = said if people else oracle
    same = how["labels"] == "oracle" and not people
    facts = LabelMetrics(
        how["labels"],
        reference,
        len(rows),
        sum(row["p"] is None for row in rows),
        sum(row["p"] == 0.5 for row in rows),
        None if same else _alignment(rows, wanted, apart, how),
        _agreement(said, oracle, how),
        _accuracy(call, runtime, oracle),
        _shown(call, runtime, rows, {} if same else wanted, rewards),
    )
    facts.write(draft.path)
    draft.rows = len(rows)
    draft.stats = Stats(note=_note(facts))


@step(MEASURE_PROXY, "proxy-metrics")
def measure_proxy(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write proxy.json."""
    how, inputs = call.settings, call.inputs

    def rewards(name: str) -> dict[str, float]:
        found = verdicts_of(runtime.store, inputs, name)
        known = {row["problem_id"]: row["reward"] for row in found if row["status"] not in _UNKNOWN}
        return dict(sorted(known.items()))

    facts: ProxyMetrics = compare_rewards(
        inputs[_RATER].digest,
        [
            Rewards(number, rewards(f"p{number} {_RATED}"), rewards(f"p{number} {_CHECKED}"))
            for number in how["policies"]
        ],
        how["bootstrap"],
        how["confidence"],
        _BOOTSTRAP_SEED,
    )
    facts.write(draft.path)
    draft.rows = len(facts.levels)
    oracle = facts.now.oracle
    checked = f", checker {oracle.value:.3f}" if oracle else ""
    draft.stats = Stats(note=f"rated {facts.now.proxy.value:.3f}{checked}")


def _bounds(settings: MeasureSettings) -> dict[str, object]:
    return {"bootstrap": settings.bootstrap, "confidence": settings.confidence}


def _key(row: Row) -> PairKey:
    return row["problem_id"], row["first"], row["second"]


def _preferences(call: Call, runtime: Runtime, kind: str) -> Iterator[Row]:
    for name, ref in call.inputs.items():
        if name.startswith(f"{kind} "):
            yield from read_rows(runtime.store.path(ref) / PREFERENCES_FILE)


def _difference(row: Row, rewards: Mapping[Key, float]) -> float | None:
    """Of the checker's rewards of a pair; None where one is not known."""
    one, other = (rewards.get((row["problem_id"], row[side])) for side in ("first", "second"))
    return None if one is None or other is None else one - other


def _alignment(
    rows: Sequence[Row],
    wanted: Mapping[PairKey, float],
    apart: Mapping[PairKey, float],
    how: Json,
) -> Alignment | None:
    known = [row for row in rows if row["p"] is not None]
    if not any(wanted.get(_key(row), 0.5) != 0.5 for row in known):
        return None
    # Difficulty is measured where the checker knows all pairs.
    whole = all(_key(row) in apart for row in known)
    bounds = how["bootstrap"], how["confidence"], _BOOTSTRAP_SEED
    return align(known, wanted, *bounds, differences=apart if whole else None)


def _agreement(
    said: Mapping[PairKey, float], oracle: Mapping[PairKey, float], how: Json
) -> Interval | None:
    """Of the oracle with people; None where either is missing."""
    values = [
        (key[0], 0.5 if oracle[key] == 0.5 else float((oracle[key] > 0.5) == (p > 0.5)))
        for key, p in said.items()
        if p != 0.5 and key in oracle
    ]
    if all(score == 0.5 for _, score in values):
        return None
    return over_pairs(values, how["bootstrap"], how["confidence"], _BOOTSTRAP_SEED)


def _accuracy(
    call: Call, runtime: Runtime, oracle: Mapping[PairKey, float]
) -> ModelAccuracy | None:
    def held_out(kind: str) -> list[list[Row]]:
        return [
            list(read_rows(runtime.store.path(ref) / HELD_OUT_FILE))
            for name, ref in call.inputs.items()
            if name.startswith(kind)
        ]

    how = call.settings
    return model_accuracy(
        [row for rows in held_out(MODEL) for row in rows],
        how["bootstrap"],
        how["confidence"],
        _BOOTSTRAP_SEED,
        shuffled=held_out(NULL),
        oracle=oracle,
        ceiling=how["labels"] != "judge",
    )


def _shown(
    call: Call,
    runtime: Runtime,
    rows: Sequence[Row],
    wanted: Mapping[PairKey, float],
    rewards: Mapping[Key, float],
) -> list[ShownPair]:
    drawn = drawn_to_show(rows, wanted, call.settings["seed"])
    keys = {(row["problem_id"], row[side]) for row, _ in drawn for side in ("first", "second")}
    texts = {
        key: answer_of(row).strip()
        for row in rows_of(runtime.store, call.inputs, _DRAWN)
        if (key := (row["problem_id"], row["index"])) in keys
    }
    names = {name for name, _ in keys}
    problems = read_rows(runtime.store.path(call.inputs["problems"]) / PROBLEMS_FILE)
    questions = {row["id"]: row["question"] for row in problems if row["id"] in names}
    found: list[ShownPair] = []
    for row, mark in drawn:
        sides = [(row["problem_id"], row[side]) for side in ("first", "second")]
        known = [rewards[side] for side in sides if side in rewards]
        asked = [row["p_first"], row["p_second"]]
        found.append(
            ShownPair(
                row["problem_id"],
                questions[row["problem_id"]],
                [texts[side] for side in sides],
                row["p"],
                [p for p in asked if p is not None],
                [reason for reason in (row["reason_first"], row["reason_second"]) if reason],
                known if len(known) == len(sides) else [],
                mark,
            )
        )
    return found


def _note(facts: LabelMetrics) -> str:
    parts = []
    if facts.alignment:
        parts.append(f"labels {100 * facts.alignment.agreement.value:.1f}% right")
    if facts.model:
        parts.append(f"reward model {100 * facts.model.accuracy.value:.1f}% of held-out labels")
    return ", ".join(parts) or f"{facts.pairs:,} pairs"
