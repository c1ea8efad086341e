"""The step `prompts`: what a policy is asked that draws samples while it is trained.

One row for each training problem, in their order, but for those whose question overlaps the test
set's.
"""

from __future__ import annotations

from collections.abc import Iterator

from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.dag.step_names import PROMPTS
from tasks.prompts import PromptChoice, load_template
from tasks.rows import PROBLEMS_FILE, PROMPT, ROWS_FILE, Row, read_rows, write_rows
from tasks.select.decontaminate import overlapping
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

_CHAT = "chat"


def prompts_call(
    label: str,
    *,
    decontaminate_ngram: int,
    prompt: str,
    shots: int,
    template: PromptChoice,
    problems: ArtifactRef,
    chat: ArtifactRef | None = None,
) -> Call:
    """The call that writes the prompts of the training problems.

    Args:
        label: Name of the task run.
        decontaminate_ngram: Words in a run that a question must not share with a test question.
        prompt: Digest of the prompt template.
        shots: Exemplars in the prompt.
        template: The template.
        problems: All problems.
        chat: Policy whose chat template renders the prompts, where they are chats.
    """
    inputs = {"problems": problems, **({} if chat is None else {_CHAT: chat})}
    keyed = {"decontaminate_ngram": decontaminate_ngram, "prompt": prompt, "shots": shots}
    return Call(write_prompts, label, keyed, inputs, template.hints())


@step(PROMPTS, "rows")
def write_prompts(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Write a row of rows.PROMPT for each problem."""
    settings = call.settings
    template = load_template(PromptChoice.of(call.hints), settings["prompt"])
    render, shots = template.render, settings["shots"]
    if template.form == "chat":
        from tasks.decoding.chat import Chat

        render = Chat(runtime.store.path(call.inputs[_CHAT]), template).render
    problems = list(read_rows(runtime.store.path(call.inputs["problems"]) / PROBLEMS_FILE))
    left_out = overlapping(problems, settings["decontaminate_ngram"])

    def rows() -> Iterator[Row]:
        for row in problems:
            if row["split"] == "train" and row["id"] not in left_out:
                prompt = render(row["question"], shots, row["subject"])
                yield {"problem_id": row["id"], "prompt": prompt}

    draft.rows = write_rows(draft.path / ROWS_FILE, PROMPT, rows())
    lost = f", {len(left_out):,} overlap the test set" if left_out else ""
    draft.stats = Stats(note=f"{draft.rows:,} problems to draw samples of{lost}")
