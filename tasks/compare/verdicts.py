"""The step `compare verdicts`: a judge's word on pairs of which the checker knows the better one.

For `restem audit --judge`: a judge is measured on verdicts that a run has already.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

import pyarrow as pa

from tasks.compare.judge_prompt import load_judge_prompt
from tasks.compare.known import draw_known
from tasks.compare.label import JUDGED
from tasks.compare.step import JUDGE, judge_stats, judging, open_judge
from tasks.dag.runtime import Runtime
from tasks.dag.shard_inputs import ScoredShard, inputs_of, rows_of
from tasks.dag.step import Call, step
from tasks.dag.step_names import COMPARE_VERDICTS
from tasks.errors import UserError
from tasks.rows import PREFERENCE, PROBLEMS_FILE, Row, read_rows, write_rows
from tasks.settings.judge import JudgeSettings
from tasks.store.manifest import ArtifactRef
from tasks.store.store import Draft

# A row of rows.PREFERENCE, in which `first` and `second` number the problem's unlike texts.
JUDGED_PAIR = pa.schema(
    [
        *PREFERENCE,
        ("first_right", pa.bool_()),  # else the second is
        ("share", pa.float64()),  # of the problem's samples, those that are right
    ]
)
PAIRS_FILE = "judged_pairs.parquet"
_PROBLEMS = "problems"
# Pairs that a judge is asked about at once: between two of them a person hears of progress.
_AT_ONCE = 512


def compare_verdicts_call(
    settings: JudgeSettings,
    shards: Sequence[ScoredShard],
    problems: Iterable[ArtifactRef],
    *,
    seed: int,
    judge: ArtifactRef,
    engine: Mapping[str, object],
) -> Call:
    """The call that asks a judge about right and wrong samples.

    Args:
        settings: How it is asked, and about how many pairs of all problems together.
        shards: Samples with their verdicts.
        problems: Artifacts in which their problems lie.
        seed: Of the draw.
        judge: The model that is asked.
        engine: Its engine and dtype.
    """
    keyed = {"pairs": settings.pairs, "seed": seed, **judging(settings), **engine}
    samples, verdicts = ([shard[side] for shard in shards] for side in (0, 1))
    inputs = {**inputs_of("", samples, verdicts), JUDGE: judge}
    inputs |= {f"{_PROBLEMS} {n}": ref for n, ref in enumerate(problems)}
    how = "a reason" if settings.reasoning else "no reason"
    label = f"{COMPARE_VERDICTS}, {how}"
    return Call(compare_verdicts, label, keyed, inputs, {"template": settings.prompt})


@step(COMPARE_VERDICTS, "judged_pairs")
def compare_verdicts(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write a row of JUDGED_PAIR for each pair."""
    store, how = runtime.store, call.settings
    prompt = load_judge_prompt(call.hints["template"], how["prompt"])
    drawn = draw_known(lambda: rows_of(store, call.inputs, ""), how["seed"], how["pairs"])
    if not drawn:
        raise UserError(
            "no problem has a right and a wrong sample that are finished; expected a run that "
            "sampled problems which the policy solves sometimes"
        )
    asked = {one.pair.problem_id for one in drawn}
    questions: dict[str, str] = {}
    for name, ref in call.inputs.items():
        if name.startswith(f"{_PROBLEMS} "):
            stored = read_rows(store.path(ref) / PROBLEMS_FILE, ["id", "question"])
            questions |= {row["id"]: row["question"] for row in stored if row["id"] in asked}
    judge, judged = open_judge(call, runtime, prompt), 0

    def rows() -> Iterator[Row]:
        nonlocal judged
        for begin in range(0, len(drawn), _AT_ONCE):
            known = drawn[begin : begin + _AT_ONCE]
            labels = judge.label([one.pair for one in known], questions)
            for one, row in zip(known, labels, strict=True):
                judged += row["status"] == JUDGED
                yield {**row, "first_right": one.first_right, "share": one.share}
            runtime.progress(call.label, begin + len(known), len(drawn))

    draft.rows = write_rows(draft.path / PAIRS_FILE, JUDGED_PAIR, rows())
    note = f"{draft.rows:,} pairs, {draft.rows - judged:,} without a label"
    draft.stats = judge_stats(judge.costs, note)
