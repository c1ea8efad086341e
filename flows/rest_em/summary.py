"""The last step of a run: everything its artifacts say, as report.json, report.html, report.md."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from flows.config.rest_em import RestEmConfig
from flows.report.cost import costs
from flows.report.validation import Checks, checks_of
from flows.report.values import shown_reference
from flows.rest_em import inputs as kinds
from flows.rest_em.cost_lines import cost_lines
from flows.rest_em.inputs import RunInputs, report_inputs
from flows.rest_em.iterations import LoopResult
from flows.rest_em.page.page import markdown, render
from flows.rest_em.results import (
    AgainstBase,
    DrawnSamples,
    PolicyReport,
    RefusedSample,
    RunReport,
    Transfer,
)
from flows.rest_em.warning_lines import narrowed_line
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.evaluate.intervals import interval
from tasks.evaluate.metrics import paired_gain, paired_pass_gain, scores
from tasks.evaluate.paired import difficulty_bins, mcnemar
from tasks.evaluate.solved_and_lost import solved_and_lost
from tasks.rows import SAMPLES_FILE, VERDICTS_FILE, Row, Status, read_rows
from tasks.settings import EvaluationSettings
from tasks.store.store import Draft, Store

# Intervals are a property of the samples, so equal samples have equal intervals.
_BOOTSTRAP_SEED = 0


def report_call(config: RestEmConfig, result: LoopResult) -> Call:
    """The call that writes the report of a run."""
    settings = {
        "run": config.run_id,
        "config": config.described(),
        "warnings": result.warnings,
    }
    return Call(write_report, "report", settings, report_inputs(result))


@step("report", "report", version=3)
def write_report(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Gather the report and render it."""
    report = summarise(call, runtime.store)
    report.write(draft.path)
    (draft.path / "report.html").write_text(render(report), encoding="utf-8")
    (draft.path / "report.md").write_text(markdown(report), encoding="utf-8")
    # Wall times differ between equal runs, so the pages stay out of the digest.
    draft.volatile = {"report.html", "report.md"}
    draft.rows = len(report.iterations)


def summarise(call: Call, store: Store) -> RunReport:
    """The report of a run from the inputs of its call."""
    inputs, config = RunInputs(store, call.inputs), call.settings["config"]
    policies = _policies(inputs, EvaluationSettings(**config["evaluation"]))
    counts = {one.iteration + 1: one.selection for one in policies if one.selection}
    return RunReport(
        run=call.settings["run"],
        iterations=policies,
        name=config["name"],
        base=config["model"]["base"],
        config=config,
        cost=costs(cost_lines(inputs), counts, [one.greedy.value for one in policies]),
        warnings=[
            *call.settings["warnings"],
            *_gaps(inputs),
            *_regressions(policies[-1]),
            *_narrowed(policies),
        ],
        commits=inputs.commits,
    )


def _policies(inputs: RunInputs, how: EvaluationSettings) -> list[PolicyReport]:
    base = inputs.solutions(0, kinds.GREEDY)
    drawn = inputs.verdicts(0, kinds.SAMPLED)
    return [
        PolicyReport(
            **vars(inputs.metrics(number)),
            iteration=number,
            model=inputs.ref(number, kinds.POLICY).digest,
            selection=inputs.selection(number),
            drawn=_drawn(inputs, number),
            votes=inputs.votes(number),
            diversity=inputs.diversity(number),
            verified=inputs.verified(number),
            finetune=inputs.training(number),
            checks=_checks(inputs, number, how),
            transfer=_transfer(inputs, number, how),
            against_base=_against_base(
                base, inputs.solutions(number, kinds.GREEDY), drawn, inputs.splits["test"], how
            )
            if number
            else None,
            pass_gain=paired_pass_gain(
                drawn, inputs.verdicts(number, kinds.SAMPLED), how, _BOOTSTRAP_SEED
            )
            if number
            else None,
            labels=inputs.labels(number),
            proxy=inputs.proxy(number),
            win_rates=inputs.win_rates(number),
        )
        for number in inputs.policies
    ]


def _checks(inputs: RunInputs, number: int, how: EvaluationSettings) -> Checks | None:
    """How the validation reward went in the fine-tune that made a policy."""
    training = inputs.training(number)
    return checks_of(training, len(inputs.splits["validation"]), how) if training else None


def _gaps(inputs: RunInputs) -> list[str]:
    """What the data have that is not graded, or not well."""
    note = inputs.store.manifest(inputs.refs[kinds.PROBLEMS]).stats.note
    return [f"problems: {note}"] if note else []


def _narrowed(policies: list[PolicyReport]) -> list[str]:
    """A word where the last policy solves less in many tries than the base."""
    said = narrowed_line(policies[0], policies[-1], policies[-1].iteration)
    return [said] if said else []


def _regressions(last: PolicyReport) -> list[str]:
    """A word on every other benchmark on which the last policy is worse than the base."""
    return [
        f"transfer: iteration {last.iteration} is worse than the base policy on "
        f"{name}: {100 * m.value:+.1f} points [{100 * m.low:+.1f}, {100 * m.high:+.1f}]"
        for name, found in last.transfer.items()
        if found.regression and (m := found.difference)
    ]


def _against_base(
    base: list[Row],
    now: list[Row],
    drawn: list[Row],
    questions: list[Row],
    how: EvaluationSettings,
) -> AgainstBase:
    """What a policy gained, on problems of which difficulty, and which it newly solves and loses.

    Args:
        base: Greedy solutions of the base policy, with verdicts.
        now: Those of the policy.
        drawn: Verdicts on the base's samples of test problems; they say how hard a problem is.
        how: Which metrics, and how intervals are made.
    """
    solved, lost = (
        [replace(one, reference=shown_reference(one.reference)) for one in changes]
        for changes in solved_and_lost(base, now, questions)
    )
    before, after = scores(base), scores(now)
    test = mcnemar(before, after)
    return AgainstBase(
        gain=paired_gain(base, now, how, _BOOTSTRAP_SEED),
        p=test.p,
        bins=difficulty_bins(
            scores(drawn), before, after, how.bootstrap, how.confidence, _BOOTSTRAP_SEED
        ),
        solved=solved,
        lost=lost,
        solved_total=test.solved,
        lost_total=test.lost,
    )


def _transfer(inputs: RunInputs, number: int, how: EvaluationSettings) -> dict[str, Transfer]:
    """Greedy accuracy on the other benchmarks, and the difference to the base on each."""
    found: dict[str, Transfer] = {}
    for name in how.transfer:
        now = inputs.verdicts(number, f"{kinds.TRANSFER}{name}")
        if not now:
            continue
        greedy = interval(
            list(scores(now).values()), how.bootstrap, how.confidence, _BOOTSTRAP_SEED
        )
        change = None
        if number:
            base = inputs.verdicts(0, f"{kinds.TRANSFER}{name}")
            change = paired_gain(base, now, how, _BOOTSTRAP_SEED)
        found[name] = Transfer(greedy, change, change is not None and change.high < 0)
    return found


def _drawn(inputs: RunInputs, number: int) -> DrawnSamples | None:
    """How the samples drawn for training ended, and the first one of each way to fail."""
    shards = inputs.shards(number, kinds.DRAWN)
    if not shards:
        return None
    problems = {row["id"]: row for row in inputs.splits["train"]}
    statuses: Counter[str] = Counter()
    refused: dict[str, RefusedSample] = {}
    for shard in shards:
        verdicts = inputs.store.path(shard.verdicts) / VERDICTS_FILE
        found = [row["status"] for row in read_rows(verdicts, ["status"])]
        statuses.update(found)
        new = {found.index(status) for status in set(found) - {Status.CORRECT.value, *refused}}
        samples = inputs.store.path(shard.samples) / SAMPLES_FILE
        for place, row in enumerate(read_rows(samples) if new else ()):
            if place in new:
                asked, status = problems[row["problem_id"]], found[place]
                reference = shown_reference(asked["reference"])
                refused[status] = RefusedSample(
                    asked["id"], asked["question"], reference, status, row["text"]
                )
    return DrawnSamples(
        dict(sorted(statuses.items())), [refused[status] for status in sorted(refused)]
    )
