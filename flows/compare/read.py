"""What a comparison reads of a finished run: a policy's solutions, its metrics, what it cost.

All of it lies in artifacts: those that the run's report was made from, each verified before it is
read. No model is loaded, and nothing is sampled or checked again.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field

from flows.config.benchmarks import BENCHMARKS
from flows.config.read import parse
from flows.config.rest_em import RestEmConfig
from flows.rest_em import inputs as kinds
from flows.rest_em.inputs import RunInputs, parse_name
from flows.rest_em.results import PolicyReport, RunReport
from flows.runs.journal import lookup, read_journal
from flows.runs.journal_forms import StepLine
from flows.runs.policies import of_run
from tasks.dag.runtime import open_store
from tasks.dag.step_names import DRAW, REPORT
from tasks.errors import UserError
from tasks.evaluate.metrics import Groups
from tasks.evaluate.step import read_groups
from tasks.problems.step import load_splits
from tasks.rows import Row
from tasks.store.store import ArtifactRef, Store


@dataclass(frozen=True)
class Tried:
    """Problems, and what a policy made of them.

    Attributes:
        problems: Problem rows; there may be more than were tried.
        greedy: Verdicts on greedy solutions; of test problems with the texts.
        sampled: Verdicts on samples, where there are any.
        groups: Which of the samples give equal answers.
    """

    problems: list[Row]
    greedy: list[Row]
    sampled: list[Row] = field(default_factory=list)
    groups: Groups = field(default_factory=dict)

    @property
    def ids(self) -> set[str]:
        """Problems with a greedy solution."""
        return {row["problem_id"] for row in self.greedy}

    def only(self, ids: Container[str]) -> Tried:
        """The part on these problems."""
        return Tried(
            [row for row in self.problems if row["id"] in ids],
            [row for row in self.greedy if row["problem_id"] in ids],
            [row for row in self.sampled if row["problem_id"] in ids],
            self.groups,
        )


@dataclass(frozen=True)
class Policy:
    """One policy of a run.

    Attributes:
        label: RUN:ITERATION.
        iterations: What the run's report says of each policy.
        sets: What it was tried on: test, train, validation, transfer:BENCHMARK.
        base_sampled: Verdicts on the base policy's samples of test problems.
        lines: Journal lines of the artifacts that it took to make and measure it, each once.
    """

    label: str
    run: str
    number: int
    digest: str
    config: RestEmConfig
    iterations: list[PolicyReport]
    sets: dict[str, Tried]
    base_sampled: list[Row]
    lines: list[StepLine]

    @property
    def report(self) -> PolicyReport:
        """What the run's report says of it."""
        return next(one for one in self.iterations if one.iteration == self.number)


def read_policies(names: list[str]) -> list[Policy]:
    """The policies of these names: RUN (its last one), RUN:ITERATION; RUN may be `latest`.

    Raises:
        UserError: there are fewer than two, or one is named twice, is not there or not finished,
            or an artifact is gone.
    """
    if len(names) < 2:
        raise UserError("RUN: expected two or more, such as: restem compare latest:0 latest")
    labels = [of_run(name) for name in names]
    for label in labels:
        if labels.count(label) > 1:
            raise UserError(f"RUN {label}: given twice; expected different policies")
    stores: dict[str, Store] = {}
    return [_read(label, stores) for label in labels]


def _read(label: str, stores: dict[str, Store]) -> Policy:
    run, _, iteration = label.rpartition(":")
    number = int(iteration)
    head, lines = read_journal(run, "rest-em")
    if head.state != "completed":
        raise UserError(
            f"RUN {run}: it is {head.state}; expected a finished run (restem resume {run})"
        )
    config = parse(RestEmConfig, head.config, f"RUN {run}")
    place = config.resources.store
    store = stores.setdefault(place, open_store(config.resources))
    report = _need(run, store, next(x for x in lines if x.step == REPORT).artifact)
    inputs = RunInputs(store, store.manifest(report).provenance.inputs)
    for name, ref in inputs.refs.items():
        if _is_read(name, number):
            _need(run, store, ref.location)
    return Policy(
        label,
        run,
        number,
        inputs.ref(number, kinds.POLICY).digest,
        config,
        RunReport.read(store.path(report)).iterations,
        {**_own(run, inputs, number), **_others(run, inputs, number, config, lines)},
        inputs.verdicts(0, kinds.SAMPLED),
        _until(lines, number),
    )


def _is_read(name: str, number: int) -> bool:
    """Whether an input of a report is read here: not the policies, which may be large."""
    policy, kind = parse_name(name)
    if kind == kinds.PROBLEMS or (policy, kind) == (0, kinds.SAMPLED):
        return True
    return policy == number and kind not in (kinds.POLICY, kinds.SELECTION, kinds.DRAWN)


def _own(run: str, inputs: RunInputs, number: int) -> dict[str, Tried]:
    """What the policy was tried on of the run's own problems."""
    found = {
        "test": Tried(
            inputs.splits["test"],
            inputs.solutions(number, kinds.GREEDY),
            inputs.verdicts(number, kinds.SAMPLED),
            _groups(run, inputs.store, inputs.ref(number, kinds.METRICS)),
        )
    }
    for kind in (kinds.TRAIN, kinds.VALIDATION):
        found[kind] = Tried(inputs.splits[kind], inputs.verdicts(number, kind))
    return found


def _others(
    run: str, inputs: RunInputs, number: int, config: RestEmConfig, lines: list[StepLine]
) -> dict[str, Tried]:
    """What it was tried on beside these."""
    found = {}
    for name in config.evaluation.transfer:
        label = f"problems of {BENCHMARKS[name].data}"
        line = next(x for x in lines if x.label == label)
        problems = load_splits(inputs.store.path(_need(run, inputs.store, line.artifact)))
        key = f"{kinds.TRANSFER}{name}"
        found[key] = Tried(problems["test"], inputs.verdicts(number, key))
    return found


def _groups(run: str, store: Store, metrics: ArtifactRef) -> Groups:
    """Groups of equal answers that the vote was counted by; none where there was no vote."""
    made = store.manifest(metrics).provenance.inputs
    if "groups" not in made:
        return {}
    ref = _need(run, store, made["groups"].location)
    return read_groups(store, ref)


def _until(lines: list[StepLine], number: int) -> list[StepLine]:
    """Lines of what came before a policy and of its own measurement, each artifact once."""
    found: dict[str, StepLine] = {}
    for line in lines:
        drawn_from_it = line.iteration == number and line.step.endswith(f" {DRAW}")
        if line.iteration <= number and not drawn_from_it and line.step != REPORT:
            found.setdefault(line.artifact, line)
    return list(found.values())


def _need(run: str, store: Store, location: str) -> ArtifactRef:
    ref = lookup(store, location)
    if ref is None:
        raise UserError(
            f"RUN {run}: artifact {location} is gone or damaged; run the run again to rebuild it"
        )
    return ref
