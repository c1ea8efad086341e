"""The step `win rates`: how often a policy's answers are preferred to those of another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tasks.dag.runtime import Runtime
from tasks.dag.shard_inputs import inputs_of, rows_of
from tasks.dag.step import Call, step
from tasks.dag.step_names import WIN_RATES
from tasks.evaluate.answers import AnswerKey, Answers, paired_answers, win_of, wins_by_reward
from tasks.evaluate.win_rate import JUDGE, ORACLE, WinRate, WinRates, mean_wins, win_rate
from tasks.rows import PREFERENCES_FILE, Row, Status, read_rows
from tasks.settings import MeasureSettings
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

# Intervals are a property of the samples, so equal samples have equal intervals.
_BOOTSTRAP_SEED = 0
_FIRST, _OTHER, _PREFERENCES = "first", "other", "preferences"

ScoredShards = tuple[Sequence[ArtifactRef], Sequence[ArtifactRef]]


def win_rates_call(
    label: str,
    settings: MeasureSettings,
    first: ScoredShards,
    other: ScoredShards,
    preferences: Sequence[ArtifactRef],
) -> Call:
    """The call that measures win rates.

    Args:
        label: Name of the task run.
        settings: How intervals are made.
        first: Samples of the policy, and the checker's verdicts on them,
        other: and those of the policy that it is compared with.
        preferences: What a judge said of both (tasks/compare/answers.py); empty: none was asked.
    """
    inputs = inputs_of(_FIRST, *first) | inputs_of(_OTHER, *other)
    inputs |= {f"{_PREFERENCES} {n}": ref for n, ref in enumerate(preferences)}
    return Call(
        measure_wins, label, settings.model_dump(include={"bootstrap", "confidence"}), inputs
    )


@step(WIN_RATES, "win_rates")
def measure_wins(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write win_rates.json: by the checker, unless a person grades, and by a judge."""
    first, other = (list(rows_of(runtime.store, call.inputs, one)) for one in (_FIRST, _OTHER))
    answers = paired_answers(first, other)
    found: dict[str, WinRate] = {}
    if all(row["status"] != Status.UNGRADED for row in first):
        found |= _rate(call, ORACLE, wins_by_reward(*map(_rewards, (first, other))), answers)
    said = preferences_of(call.inputs)
    if said:
        wins = {key: win for key, one in answers.items() if (win := one.settled) is not None}
        for row in _preferences(runtime, said):
            if row["p"] is not None:
                wins[row["problem_id"], row["first"]] = win_of(row["p"])
        found |= _rate(call, JUDGE, wins, answers)
    WinRates(found).write(draft.path)
    draft.rows = len(found)
    notes = [f"{name} {100 * one.raw.value:.1f}%" for name, one in found.items()]
    draft.stats = Stats(note=", ".join(notes))


def _rewards(rows: Sequence[Row]) -> dict[AnswerKey, float]:
    return {(row["problem_id"], row["index"]): row["reward"] for row in rows}


def preferences_of(inputs: Mapping[str, ArtifactRef]) -> list[ArtifactRef]:
    """What a judge said, among the inputs of a call of `win rates`; empty: none was asked."""
    return [ref for name, ref in inputs.items() if name.startswith(f"{_PREFERENCES} ")]


def _preferences(runtime: Runtime, refs: Sequence[ArtifactRef]) -> Iterator[Row]:
    for ref in refs:
        yield from read_rows(runtime.store.path(ref) / PREFERENCES_FILE)


def _rate(
    call: Call, name: str, wins: dict[AnswerKey, float], answers: dict[AnswerKey, Answers]
) -> dict[str, WinRate]:
    """The win rate under its name; nothing where no pair has a winner or a tie."""
    if not wins:
        return {}
    lengths = {key: one.lengths for key, one in answers.items()}
    shares, sides = mean_wins(wins, lengths)
    unjudged = len({problem for problem, _ in answers}) - len(shares)
    how = call.settings
    rate = win_rate(
        shares, sides, how["bootstrap"], how["confidence"], _BOOTSTRAP_SEED, unjudged=unjudged
    )
    return {name: rate}
