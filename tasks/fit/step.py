"""The step `fit`: a reward model from preferences, in a child process."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import FIT
from tasks.decoding.chat import Chat
from tasks.durable import make_folders
from tasks.fit.results import FitFacts
from tasks.processes.child import Child
from tasks.prompts import PromptChoice, load_template
from tasks.rows import PREFERENCES_FILE, PROBLEMS_FILE, SAMPLES_FILE, Json, read_rows
from tasks.settings.reward import RewardSettings
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

FITTER = "tasks.fit.trainer:main"
# Where a reward comes from, and when a model of it is fit, is the loop's business.
_NOT_KEYED = {"by", "start_from", "iterations", "null"}


def fit_call(
    label: str,
    settings: RewardSettings,
    *,
    seed: int,
    prompt: str,
    shots: int,
    template: PromptChoice,
    problems: ArtifactRef,
    start: ArtifactRef,
    preferences: Sequence[ArtifactRef],
    samples: Sequence[ArtifactRef],
    shuffled: int = 0,
) -> Call:
    """The call that fits a reward model.

    Args:
        label: Name of the task run.
        settings: How.
        seed: Of its head, of the order, and of what is held out.
        prompt: Digest of the prompt template before each sample.
        shots: Exemplars in it.
        template: The template.
        problems: Artifact in which the problems lie.
        start: Policy whose weights it starts from.
        preferences: Labelled pairs.
        samples: All shards that these pairs are of.
        shuffled: Number of a model that is fit with each other pair's labels, to see what there
            is in none; 0: its own.
    """
    keyed = settings.model_dump(exclude=_NOT_KEYED)
    keyed |= {"seed": seed, "prompt": prompt, "shots": shots}
    keyed |= {"shuffled": shuffled} if shuffled else {}
    inputs = {"problems": problems, "start": start}
    inputs |= {f"preferences {n}": ref for n, ref in enumerate(preferences)}
    inputs |= {f"samples {n}": ref for n, ref in enumerate(samples)}
    return Call(fit_reward_model, label, keyed, inputs, template.hints())


@step(FIT, "reward-model")
def fit_reward_model(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Fit on all pairs that have a label."""
    settings = dict(call.settings)
    seed, shots = settings.pop("seed"), settings.pop("shots")
    shuffled = settings.pop("shuffled", 0)
    template = load_template(PromptChoice.of(call.hints), settings.pop("prompt"))
    start = runtime.store.path(call.inputs["start"])
    chat = Chat(start, template) if template.form == "chat" else None
    render = (chat or template).render

    def files(kind: str, name: str) -> list[str]:
        return [
            str(runtime.store.path(ref) / name)
            for key, ref in call.inputs.items()
            if key.startswith(f"{kind} ")
        ]

    preferences = files("preferences", PREFERENCES_FILE)
    compared = {
        row["problem_id"]
        for ref in call.inputs
        if ref.startswith("preferences ")
        for row in read_rows(
            runtime.store.path(call.inputs[ref]) / PREFERENCES_FILE, ["problem_id"]
        )
    }
    problems = read_rows(runtime.store.path(call.inputs["problems"]) / PROBLEMS_FILE)
    work = runtime.work(call.key)
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    make_folders(out)
    job: dict[str, object] = {
        "preferences": preferences,
        "samples": files("samples", SAMPLES_FILE),
        "prompts": {
            row["id"]: render(row["question"], shots, row["subject"])
            for row in problems
            if row["id"] in compared
        },
        "chat": chat is not None,
        "model": str(start),
        "out": str(out),
        "work": str(work),
        "settings": {**settings, "by": "model"},
        "seed": seed,
        "shuffled": shuffled,
        "resources": runtime.resources.model_dump(),
    }
    reply = _fit(job, call.label, runtime)
    taken = reply.pop("seconds", {})
    facts = FitFacts.from_json(reply, "answer of the fit")
    for path in sorted(out.iterdir()):
        shutil.move(str(path), draft.path / path.name)
    facts.write(draft.path)
    known = "" if facts.accuracy is None else f", {100 * facts.accuracy:.1f}% right held out"
    draft.stats = Stats(parts=taken, tokens=facts.tokens, note=f"{facts.pairs:,} pairs{known}")
    draft.rows = facts.pairs


def _fit(job: dict[str, object], label: str, runtime: Runtime) -> Json:
    def progress(done: int, total: int) -> None:
        runtime.progress(label, done, total)

    if not runtime.isolate:
        from tasks.fit.trainer import fit

        return fit(job, progress)
    with Child.module(FITTER, log=runtime.logs / "fit.log") as child:
        return child.call(job, on_progress=progress, stall=runtime.resources.train_stall_seconds)
