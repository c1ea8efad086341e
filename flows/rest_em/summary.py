"""The last step: everything a run's artifacts say, as report.json, report.html and report.md."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from flows.config.rest_em import RestEmConfig
from flows.report.cost import costs
from flows.report.values import shown_reference
from flows.rest_em.inputs import solutions, verdicts
from flows.rest_em.loop import Iteration, Outcome, Shards
from flows.rest_em.page.page import markdown, render
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.evaluate.intervals import interval
from tasks.evaluate.metrics import paired_gain, scores
from tasks.evaluate.paired import difficulty_bins, mcnemar
from tasks.evaluate.solved_and_lost import solved_and_lost
from tasks.problems.step import load_splits
from tasks.rows import Json, read_rows
from tasks.settings import EvaluationSettings
from tasks.store.manifest import Manifest
from tasks.store.store import ArtifactRef, Draft, Store


def report_call(config: RestEmConfig, outcome: Outcome) -> Call:
    """The call that writes the report of a run."""
    inputs = {"problems": outcome.problems}
    for now in outcome.iterations:
        name = f"p{now.number}"
        inputs[f"{name} policy"] = now.policy
        inputs[f"{name} metrics"] = now.metrics
        if now.selection is not None:
            inputs[f"{name} selection"] = now.selection
        sets: dict[str, Shards] = {
            kind: getattr(now, kind)
            for kind in ("greedy", "train", "validation", "sampled", "drawn")
        }
        sets |= {f"transfer:{other}": shards for other, shards in now.transfer.items()}
        for kind, shards in sets.items():
            for number, (sample, verdict) in enumerate(
                zip(shards.samples, shards.verdicts, strict=True)
            ):
                inputs[f"{name} {kind} samples {number}"] = sample
                inputs[f"{name} {kind} verdicts {number}"] = verdict
    settings = {
        "run": config.run_id,
        "config": config.model_dump(exclude={"resources"}),
        "warnings": outcome.warnings,
    }
    return Call(write_report, "report", settings, inputs)


@step("report", "report", version=3)
def write_report(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Gather the summary and render it."""
    summary = summarise(call, runtime.store)
    # Wall times differ between equal runs, so the pages stay out of the digest and the metrics in.
    results = {"run": summary["run"], "iterations": summary["iterations"]}
    (draft.path / "report.json").write_text(json.dumps(results, indent=1, sort_keys=True))
    (draft.path / "report.html").write_text(render(summary))
    (draft.path / "report.md").write_text(markdown(summary))
    draft.volatile = {"report.html", "report.md"}
    draft.rows = len(summary["iterations"])


def summarise(call: Call, store: Store) -> Json:
    """The dictionary behind the report (its form is described in flows/rest_em/page/page.py)."""
    inputs, settings = call.inputs, call.settings
    splits = load_splits(store.path(inputs["problems"]))
    questions = splits["test"]
    problems = {row["id"]: row for row in splits["train"]}
    numbers = sorted(int(name[1:].split()[0]) for name in inputs if name.endswith(" metrics"))
    base = solutions(store, inputs, "p0 greedy")
    drawn = list(verdicts(store, inputs, "p0 sampled"))
    iterations = []
    for number in numbers:
        item = _read(store, inputs[f"p{number} metrics"], "metrics.json")
        policy = inputs[f"p{number} policy"]
        selection = inputs.get(f"p{number} selection")
        against_base = {}
        if number:
            now = solutions(store, inputs, f"p{number} greedy")
            against_base = _against_base(base, now, drawn, questions, settings)
        iterations.append(
            {
                "iteration": number,
                "model": policy.digest,
                **item,
                "selection": selection and _read(store, selection, "counts.json"),
                "drawn": _drawn(store, inputs, number, problems),
                "finetune": _optional(store, policy, "training.json") if number else None,
                "transfer": _transfer(store, inputs, number, settings),
                **against_base,
            }
        )
    greedy = [item["metrics"]["greedy"]["value"] for item in iterations]
    counts = {i["iteration"] + 1: i["selection"] for i in iterations if i["selection"]}
    cost = costs(_lines(store, inputs), counts, greedy)
    return {
        "run": settings["run"],
        "name": settings["config"]["name"],
        "config": settings["config"],
        "base": settings["config"]["model"]["base"],
        "state": "completed",
        "iterations": iterations,
        "steps": [
            {"iteration": row["iteration"], "step": row["step"], "shards": row["tasks"]}
            | row["made"]
            for row in cost["steps"]
        ],
        "cost": cost,
        "warnings": settings["warnings"]
        + _gaps(store, inputs["problems"])
        + _regressions(iterations),
    }


def _gaps(store: Store, problems: ArtifactRef) -> list[str]:
    """What the data have that is not graded, or not well."""
    note = store.manifest(problems).stats.note
    return [f"problems: {note}"] if note else []


def _regressions(iterations: list[Json]) -> list[str]:
    """A word on every other benchmark on which the last policy is worse than the base."""
    return [
        f"transfer: iteration {iterations[-1]['iteration']} is worse than the base policy on "
        f"{name}: {100 * found['difference']['value']:+.1f} points "
        f"[{100 * found['difference']['low']:+.1f}, {100 * found['difference']['high']:+.1f}]"
        for name, found in iterations[-1]["transfer"].items()
        if found["regression"]
    ]


def _against_base(
    base: list[Json],
    now: list[Json],
    drawn: list[Json],
    questions: list[Json],
    settings: Json,
) -> Json:
    """What a policy gained, on problems of which difficulty, and which it newly solves and loses.

    Args:
        base: Greedy solutions of the base policy, with verdicts.
        now: Those of the policy.
        drawn: Verdicts on the base's samples of test problems; they say how hard a problem is.
        questions: The test problems.
        settings: Of the report.
    """
    how = EvaluationSettings(**settings["config"]["evaluation"])
    gain = paired_gain(base, now, how, seed=0)
    solved, lost = solved_and_lost(base, now, questions)
    for item in (*solved, *lost):
        item["reference"] = shown_reference(item["reference"])
    before, after = scores(base), scores(now)
    test = mcnemar(before, after)
    bins = difficulty_bins(scores(drawn), before, after, how.bootstrap, how.confidence, 0)
    return {
        "gain": gain and gain.to_json(),
        "p": test.p,
        "bins": [one.to_json() for one in bins],
        "solved": solved,
        "lost": lost,
        "solved_total": test.solved,
        "lost_total": test.lost,
    }


def _transfer(store: Store, inputs: dict[str, ArtifactRef], number: int, settings: Json) -> Json:
    """Greedy accuracy on the other benchmarks, and the difference to the base on each."""
    how = EvaluationSettings(**settings["config"]["evaluation"])
    found: Json = {}
    for name in how.transfer:
        now = list(verdicts(store, inputs, f"p{number} transfer:{name}"))
        if not now:
            continue
        values = list(scores(now).values())
        found[name] = {
            "greedy": interval(values, how.bootstrap, how.confidence, 0).to_json(),
            "difference": None,
            "regression": False,
        }
        base = list(verdicts(store, inputs, f"p0 transfer:{name}"))
        if number and (change := paired_gain(base, now, how, seed=0)):
            found[name] |= {"difference": change.to_json(), "regression": change.high < 0}
    return found


def _drawn(
    store: Store, inputs: dict[str, ArtifactRef], number: int, problems: dict[str, Json]
) -> Json | None:
    """How the samples drawn for training ended, and the first one of each way to fail."""
    statuses: Counter[str] = Counter()
    refused: dict[str, Json] = {}
    shard = 0
    while (sample := inputs.get(f"p{number} drawn samples {shard}")) is not None:
        verdict = store.path(inputs[f"p{number} drawn verdicts {shard}"]) / "verdicts.parquet"
        found = [row["status"] for row in read_rows(verdict)]
        statuses.update(found)
        new = {status: found.index(status) for status in set(found) - {"correct", *refused}}
        if new:
            for place, row in enumerate(read_rows(store.path(sample) / "samples.parquet")):
                if place in new.values():
                    asked = problems[row["problem_id"]]
                    refused[found[place]] = {
                        "id": asked["id"],
                        "question": asked["question"],
                        "reference": shown_reference(asked["reference"]),
                        "status": found[place],
                        "text": row["text"],
                    }
        shard += 1
    if not shard:
        return None
    return {
        "statuses": dict(sorted(statuses.items())),
        "refused": [refused[status] for status in sorted(refused)],
    }


def _lines(store: Store, inputs: dict[str, ArtifactRef]) -> list[Json]:
    """The cost of every artifact when it was made, as lines of a journal."""
    lines = []
    for name, ref in inputs.items():
        manifest = store.manifest(ref)
        lines.append(_line(name, manifest))
        groups = manifest.provenance.inputs.get("groups")
        if name.endswith(" policy"):
            lines += _earlier_steps(store, inputs, name, manifest)
        if name.endswith(" metrics") and groups:
            grouped = store.manifest(groups)
            lines.append(_line(name.replace("metrics", "group"), grouped))
    return lines


def _earlier_steps(
    store: Store, inputs: dict[str, ArtifactRef], name: str, manifest: Manifest
) -> list[Json]:
    """What the other Improve steps of an iteration made, where it has several (`thresholds`)."""
    known = {ref.key for ref in inputs.values()}
    before = f"p{int(name[1:].split()[0]) - 1} selection"
    lines = []
    while "start" in (made := manifest.provenance.inputs):
        if "rows" in made and made["rows"].key not in known:
            lines.append(_line(before, store.manifest(made["rows"])))
        if made["start"].key in known:
            break
        manifest = store.manifest(made["start"])
        lines.append(_line(name, manifest))
    return lines


def _line(name: str, manifest: Manifest) -> Json:
    """One line; `name` is that of the report's input, the step's is the journal's."""
    number, kind, *_ = (name[1:] if name[0] == "p" and name[1].isdigit() else f"0 {name}").split()
    step = {
        "policy": "base model" if number == "0" else "finetune",
        "metrics": "measure",
        "selection": "select",
    }.get(kind, kind)
    if " samples " in name or " verdicts " in name:
        of = {"greedy": "test", "sampled": "pass@k", "drawn": "draw"}.get(kind, kind)
        of = f"{of.removeprefix('transfer:')} (transfer)" if of.startswith("transfer:") else of
        step = f"{'generate' if ' samples ' in name else 'score'} {of}"
    iteration = int(number) + (kind == "selection")
    return {"iteration": iteration, "step": step, "state": "made", **manifest.stats.costs()}


def _read(store: Store, ref: ArtifactRef, name: str) -> Json:
    return json.loads((store.path(ref) / name).read_text())


def _optional(store: Store, ref: ArtifactRef, name: str) -> Json | None:
    path: Path = store.path(ref) / name
    return json.loads(path.read_text()) if path.exists() else None


__all__ = ["Iteration", "report_call", "summarise", "write_report"]
