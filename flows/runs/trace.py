"""`restem trace`: from a training row back to the base model."""

from __future__ import annotations

from flows.runs.journal import read_journal
from flows.runs.journal_forms import StepLine
from flows.runs.status import need_artifact, store_of
from tasks.dag.step_names import SELECT
from tasks.errors import UserError
from tasks.rows import ROWS_FILE, SAMPLES_FILE, VERDICTS_FILE, Row, read_rows, text_digest
from tasks.store.store import ArtifactRef, Store

# Kinds of what gave the samples: a policy, or an import.
_SAMPLED = ("model/", "rollouts/")
# What a trace shows of a training row; a pair has the rejected sample too.
ROW_FIELDS = ("problem_id", "index", "weight", "completion", "rejected", "rejected_index")


def trace(run: str, row: str) -> dict[str, object]:
    """The chain behind one training row: sample, seed, verdict, prompt, policy, base.

    Args:
        run: A run's id or the beginning of it.
        row: Number of the row (from 0) in the last iteration's training rows, or
            ITERATION:NUMBER for those that made policy p_ITERATION.

    Raises:
        UserError: there is no such row.
    """
    head, steps = read_journal(run)
    if head.flow != "rest-em":
        raise UserError(
            f"RUN {run}: its flow is {head.flow}, which has no training rows of its own; "
            "expected a run of the loop"
        )
    store = store_of(head)
    iteration, number = _parse_row(row)
    selections = [s for s in steps if s.step == SELECT]
    if iteration is not None:
        selections = [s for s in selections if s.iteration == iteration]
    if not selections:
        raise UserError(f"ROW {row}: the run has no training rows for that iteration yet")
    chosen = selections[-1]
    selection = need_artifact(store, chosen.artifact)
    training = _nth(store, selection, ROWS_FILE, number, row)
    if not training["samples"]:
        raise UserError(
            f"ROW {row}: it is the data set's own solution of {training['problem_id']} "
            "(filter.select = human); expected a row that was sampled"
        )
    sample_ref = need_artifact(store, f"samples/{training['samples']}")
    sample = _match(store, sample_ref, SAMPLES_FILE, training)
    verdict_ref, verdict = _verdict(store, steps, training)
    judged = store.manifest(verdict_ref)
    model = next(
        (s for s in steps if s.digest == sample["model"] and s.artifact.startswith(_SAMPLED)),
        None,
    )
    made = store.manifest(sample_ref).provenance
    return {
        "training row": {
            "artifact": selection.location,
            "iteration": chosen.iteration,
            "row": number,
            **{k: training[k] for k in ROW_FIELDS if k in training},
        },
        "sample": {
            "artifact": sample_ref.location,
            "digest": sample_ref.digest,
            **{k: sample[k] for k in ("index", "seed", "tokens", "finish", "text")},
        },
        "verdict": {
            "artifact": verdict_ref.location,
            **{k: verdict[k] for k in ("reward", "status", "extracted")},
            **({"sandbox image": judged.stats.image} if judged.stats.image else {}),
            **judged.provenance.settings.get("sandbox", {}),
        },
        "prompt": {
            "digest": sample["prompt"],
            "template": made.settings["prompt"],
            "same in training": text_digest(training["prompt"]) == sample["prompt"],
            "text": training["prompt"],
        },
        "sampling": made.settings,
        "policy": {
            "digest": sample["model"],
            "artifact": model and model.artifact,
            "made by": model and model.label,
        },
        "base": head.config["model"]["base"],
    }


def _verdict(store: Store, steps: list[StepLine], training: Row) -> tuple[ArtifactRef, Row]:
    for line in steps:
        if line.artifact.startswith("verdicts/"):
            ref = need_artifact(store, line.artifact)
            source = store.manifest(ref).provenance.inputs["samples"]
            if source.key == training["samples"]:
                return ref, _match(store, ref, VERDICTS_FILE, training)
    raise UserError("the verdict of that row is not in the run's journal; run it again")


def _parse_row(row: str) -> tuple[int | None, int]:
    iteration, sign, number = row.rpartition(":")
    if not number.isdigit() or (sign and not iteration.isdigit()):
        raise UserError(f"ROW {row}: expected a row number such as 17, or 2:17 for iteration 2")
    return (int(iteration) if sign else None), int(number)


def _nth(store: Store, ref: ArtifactRef, name: str, number: int, row: str) -> Row:
    if number >= ref.rows:
        raise UserError(f"ROW {row}: expected a number below {ref.rows}, the rows there are")
    for position, item in enumerate(read_rows(store.path(ref) / name)):
        if position == number:
            return item
    raise AssertionError("rows disagree with the manifest")


def _match(store: Store, ref: ArtifactRef, name: str, training: Row) -> Row:
    for row in read_rows(store.path(ref) / name):
        if (row["problem_id"], row["index"]) == (training["problem_id"], training["index"]):
            return row
    raise AssertionError("a training row names a sample that is not in its shard")
