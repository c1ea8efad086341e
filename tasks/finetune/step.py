"""The M-step as a cached step: a child process trains, this side answers its questions."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tasks.checkers.known import judged_reference
from tasks.dag.mixed import CHECKERS_KEY, PROGRAMS, grade_mixed
from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import FINETUNE
from tasks.decoding.chat import Chat
from tasks.decoding.thinking import answer_in
from tasks.durable import make_folders
from tasks.errors import StepError
from tasks.finetune.choose import standard_error
from tasks.finetune.number_format import FLOAT32
from tasks.finetune.results import TrainingFacts
from tasks.finetune.reward_answers import reward_answers
from tasks.finetune.reward_source import MODEL, RewardSource
from tasks.processes.child import Child, Silent
from tasks.prompts import PromptChoice, load_template
from tasks.rows import PROBLEMS_FILE, ROWS_FILE, Json, Row, read_rows
from tasks.settings import FinetuneSettings
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

TRAINER = "tasks.finetune.trainer:main"
# Starts in a row in which a trainer hung before it came further than ever before.
MAX_FRUITLESS_STARTS = 2
# Input of a fine-tune whose loss has another reference than where it starts.
_REFERENCE = "reference"
LAUNCHER = Path(__file__).with_name("launch.py")


def finetune_call(
    label: str,
    settings: FinetuneSettings,
    *,
    seed: int,
    validation: dict[str, object],
    template: PromptChoice,
    problems: ArtifactRef,
    start: ArtifactRef,
    rows: ArtifactRef,
    number_format: str = FLOAT32,
    reward: RewardSource | None = None,
    reference: ArtifactRef | None = None,
) -> Call:
    """The call that fine-tunes a policy.

    Args:
        seed: Of the data order.
        validation: prompt (template digest), shots, max_tokens, problems (block digests), and for
            others than math what decides their verdicts (sandbox, checker, checkers).
        problems: Artifact with the validation problems.
        start: Policy that training starts from.
        rows: Training rows, or pairs, or the prompts of rl.
        number_format: Of `start` (number_format.py). float32 stands in no key, for such a policy is
            the one that it was before others were rounded.
        reward: Where the rewards of rl come from.
        reference: p_0 of a loss against a reference, where it is not `start`.
    """
    keyed = {**settings.training.recipe(), "seed": seed, "validation": validation}
    if number_format != FLOAT32:
        keyed["format"] = number_format
    inputs, hints = {"start": start, "rows": rows}, template.hints()
    if reference is not None:
        inputs[_REFERENCE] = reference
    if reward is not None:
        keyed["reward"] = reward.keyed()
        inputs, hints = inputs | reward.inputs(), {**hints, **reward.hints()}
    return Call(finetune, label, keyed, inputs, hints, {"problems": problems})


# 2: packed rows attend one by one, which changes the last bits of sums.
# 3: sampled tokens are trained on as they are, other texts are tokenised in their context.
@step(FINETUNE, "model", version=3)
def finetune(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Train, asking back for rewards of validation samples, and keep the best policy."""
    settings = dict(call.settings)
    validation, seed = settings.pop("validation"), settings.pop("seed")
    settings.pop("format", None)  # the trainer sees it in `start`
    reward = settings.pop("reward", None)
    template = load_template(PromptChoice.of(call.hints), validation["prompt"])
    problems = _validation(runtime, call) if settings["checks"] else []
    start = runtime.store.path(call.inputs["start"])
    chat = Chat(start, template) if template.form == "chat" else None
    render = chat.render if chat else template.render
    prompts = [render(p["question"], validation["shots"], p["subject"]) for p in problems]
    work = runtime.work(call.key)
    out = work / "out"
    shutil.rmtree(out, ignore_errors=True)
    make_folders(out)  # beside it stand checkpoints, which outlive a power cut
    job = {
        "rows": str(runtime.store.path(call.inputs["rows"]) / ROWS_FILE),
        "model": str(start),
        "out": str(out),
        "work": str(work),
        "settings": settings,
        "seed": seed,
        "validation": {
            "prompts": prompts,
            "max_tokens": validation["max_tokens"],
            "stop": list(template.stop),
            "batch_size": runtime.resources.batch_size,
        },
        "resources": runtime.resources.model_dump(),
    }
    if _REFERENCE in call.inputs:
        job["reference"] = str(runtime.store.path(call.inputs[_REFERENCE]))
    if chat:
        job["validation"] |= {"prompts": chat.ids(prompts), "ends": list(chat.ends)}
        job["chat"] = True
    if reward:
        job["reward"] = reward
        if MODEL in call.inputs:
            job["reward"] = {**reward, "model": str(runtime.store.path(call.inputs[MODEL]))}
    rewarded = (
        reward_answers(call, runtime, reward) if reward and MODEL not in call.inputs else None
    )

    def answer(question: Json) -> dict[str, object]:
        if "reward" in question:
            assert rewarded is not None
            return {"rewards": rewarded(question["reward"])}
        texts = question["score"]
        if chat:
            texts = [answer_in(*pair) for pair in zip(prompts, texts, strict=True)]
        references = [judged_reference(p) for p in problems]
        pairs = list(zip(references, texts, strict=True))
        one = PROGRAMS if "sandbox" in validation else validation.get("checker", "")
        checkers = validation.get(CHECKERS_KEY, [one] * len(pairs))
        grades = grade_mixed(runtime.grader, pairs, checkers, validation.get("sandbox"))
        return {"rewards": [grade.reward for grade in grades]}

    reply = _train(job, call.label, answer, runtime)
    taken = reply.pop("seconds", {})
    facts = TrainingFacts.from_json(reply, "answer of the trainer")
    for path in sorted(out.iterdir()):
        shutil.move(str(path), draft.path / path.name)
    facts.write(draft.path)
    draft.stats = Stats(
        parts=taken,
        tokens=facts.tokens,
        note=_note(facts, len(problems)),
    )
    draft.rows = facts.rows


def _note(facts: TrainingFacts, problems: int) -> str:
    """What a line of the run says of a fine-tune.

    Args:
        problems: Of validation, each with a reward of 0 or 1.
    """
    said = f"{facts.rows:,} rows, best of {facts.steps} steps: {facts.best_step}"
    if facts.choose != "best":
        said = f"{facts.rows:,} rows, step {facts.best_step} of {facts.steps}"
    if facts.best_reward is None:
        return said
    solved = round(facts.best_reward * problems)
    error = standard_error([1.0] * solved + [0.0] * (problems - solved))
    rule = "" if facts.choose == "best" else f", {facts.kept_words}"
    sure = f" (standard error {100 * error:.1f})" if error else ""
    return f"{said}{rule}, validation {100 * facts.best_reward:.1f}{sure}"


def _train(job: Json, label: str, answer: object, runtime: Runtime) -> Json:
    furthest = 0

    def progress(done: int, total: int) -> None:
        nonlocal furthest
        furthest = max(furthest, done)
        runtime.progress(label, done, total)

    several = job["resources"]["train_processes"] > 1
    if not runtime.isolate and not several:
        from tasks.finetune.trainer import train

        return train(job, answer, progress)  # type: ignore[arg-type]
    job = {**job, "label": label}  # its own log has the lines, and no console of a bench
    Path(job["work"]).mkdir(parents=True, exist_ok=True)
    log = runtime.logs / "finetune.log"
    python = Path(sys.executable)
    limit = runtime.resources.train_stall_seconds
    fruitless = 0
    while True:
        before = furthest
        with (
            Child.script(python, LAUNCHER, log=log) if several else Child.module(TRAINER, log=log)
        ) as child:
            try:
                reply = child.call(job, on_progress=progress, on_ask=answer, stall=limit)  # type: ignore[arg-type]
            except Silent as silent:
                fruitless = fruitless + 1 if furthest == before else 0
                if fruitless == MAX_FRUITLESS_STARTS:
                    raise StepError(
                        f"the trainer hangs again and again ({silent}); if it is only slow, raise "
                        "resources.train_stall_seconds"
                    ) from None
                runtime.say(
                    f"{label}: the trainer is started again from its last checkpoint ({silent}: "
                    "resources.train_stall_seconds)"
                )
                continue
        if "steps" not in reply:
            raise StepError(f"the trainer answered without results (log: {child.log})")
        return reply


def _validation(runtime: Runtime, call: Call) -> list[Row]:
    problems = runtime.store.path(call.context["problems"]) / PROBLEMS_FILE
    return [row for row in read_rows(problems) if row["split"] == "validation"]
