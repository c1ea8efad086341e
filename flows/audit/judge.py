"""`restem audit --judge`: how far a judge agrees with the verdicts that a run has already.

    draw pairs of a right and a wrong sample -> ask the judge -> agreement -> audit-judge.json

The checker's verdicts are ground truth for free. The judge is asked about each pair in both orders,
at once and after a reason, and so measured in four ways: what a reason and what a swap bring.
Its answers are cached: the same audit again asks nothing.

Not covered: real-valued rewards, of which those short of 1 count as wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from flows.audit.judge_results import AskedSo, JudgeAudit
from flows.audit.sample import scored_shards
from flows.machines.local import LocalMachine
from flows.orchestrator.judge import named_judge, spelled_judge
from flows.runs.journal import read_journal
from flows.runs.store_use import in_use
from tasks.compare.judge_prompt import load_judge_prompt
from tasks.compare.verdicts import PAIRS_FILE, compare_verdicts_call
from tasks.dag.runtime import home, open_store
from tasks.dag.step import Call, find_artifact, perform
from tasks.errors import UserError
from tasks.evaluate.alignment import PairKey, align
from tasks.generate.hosted.service import ENGINE as HOSTED_ENGINE
from tasks.rows import Json, Row, read_rows
from tasks.settings import Resources
from tasks.settings.judge import JudgeSettings
from tasks.store.store import ArtifactRef, Damage

RESAMPLES = 2000
CONFIDENCE = 0.95
_FIELD = "--judge"

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class JudgeOptions:
    """What a person may choose.

    Attributes:
        judge: A policy: RUN, RUN:ITERATION or a source.
        prompt: A template.
        pairs: Most pairs; 0: all.
        seed: Of the draw and of the resampling.
        reason_tokens: Longest reason.
        engine: That runs it; empty: that of the run.
        dtype: Its number format; empty: that of the run.
    """

    judge: str
    prompt: str = "answers"
    pairs: int = 2000
    seed: int = 0
    reason_tokens: int = 512
    engine: str = ""
    dtype: str = ""


def audit_judge(
    run: str, options: JudgeOptions, progress: Progress, say: Callable[[str], None]
) -> JudgeAudit:
    """Compare a judge's preferences with a run's verdicts.

    Args:
        run: A run's id, its beginning, or `latest`.
        options: What a person chose.
        progress: Told how many of how many pairs are done.
        say: Told what a person may wonder about.

    Raises:
        UserError: the run, the judge, the template or an artifact is not as expected.
    """
    judge = spelled_judge(options.judge, _FIELD)
    load_judge_prompt(options.prompt)
    head, steps = read_journal(run)
    resources = Resources.model_validate(head.config.get("resources", {}))
    store = open_store(resources)
    with (
        in_use(store, head.run, say),
        LocalMachine(store, home() / "logs", resources, progress) as machine,
    ):

        def made(call: Call) -> ArtifactRef:
            return find_artifact(call, store, say) or perform(call, machine.runtime)

        try:
            shards, problems = scored_shards(store, steps)
            if not shards:
                raise UserError(f"RUN {head.run}: it has no scored samples; expected some")
            asked = JudgeSettings(
                model=judge,
                prompt=options.prompt,
                pairs=options.pairs,
                reason_tokens=options.reason_tokens,
            )
            model = named_judge(asked, store, made, _FIELD)
            engine = {"engine": HOSTED_ENGINE} if asked.hosted else _engine(head.config, options)
            found: list[list[Row]] = []
            for reasoning in (False, True):
                call = compare_verdicts_call(
                    asked.model_copy(update={"reasoning": reasoning}),
                    shards,
                    problems,
                    seed=options.seed,
                    judge=model,
                    engine=engine,
                )
                found.append(list(read_rows(store.path(made(call)) / PAIRS_FILE)))
        except Damage as damage:
            raise UserError(f"{damage}; run the run again to rebuild it") from None
    return JudgeAudit(
        run=head.run,
        judge=judge,
        digest=model.digest,
        prompt=options.prompt,
        seed=options.seed,
        confidence=CONFIDENCE,
        resamples=RESAMPLES,
        pairs=len(found[0]),
        problems=len({row["problem_id"] for row in found[0]}),
        ways=[
            way_of(rows, options.seed, reasoning=reasoning, swap=swap)
            for reasoning, rows in zip((False, True), found, strict=True)
            for swap in (False, True)
        ],
    )


def way_of(rows: Iterable[Row], seed: int, *, reasoning: bool, swap: bool) -> AskedSo:
    """How far the judge agrees where it is asked so.

    Args:
        rows: What it said in both orders (tasks/compare/verdicts.py).
        seed: Of the resampling.
        reasoning: Whether these rows have reasons.
        swap: Whether both orders count, or the first alone.
    """
    shown = list(rows) if swap else [_one_order(row) for row in rows]
    reference: dict[PairKey, float] = {}
    shares: dict[PairKey, float] = {}
    for row in shown:
        key = row["problem_id"], row["first"], row["second"]
        reference[key], shares[key] = float(row["first_right"]), row["share"]
    judged = [row for row in shown if row["p"] is not None]
    found = None
    if judged:
        found = align(judged, reference, RESAMPLES, CONFIDENCE, seed, shares)
    return AskedSo(reasoning, swap, len(shown) - len(judged), found)


def _one_order(row: Row) -> Row:
    """The row as it were if only the first order had been asked."""
    return {**row, "p": row["p_first"], "p_second": None}


def _engine(config: Json, options: JudgeOptions) -> dict[str, object]:
    """Engine and dtype as keys have them; those of the run where nothing is said."""
    drawn, model = config.get("sampling", config), config.get("model")
    dtype = model["dtype"] if isinstance(model, dict) else config.get("dtype")
    return {
        "engine": options.engine or drawn.get("engine") or "transformers",
        "dtype": options.dtype or dtype or "float32",
    }
