"""The select and pairs steps: which samples become training rows."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Protocol

import pyarrow as pa

from tasks.dag.runtime import Runtime
from tasks.dag.shard_inputs import inputs_of, shards_of
from tasks.dag.step import Call, step
from tasks.dag.step_names import LABELLED_ROWS, PAIRS, SELECT
from tasks.prompts import PromptChoice, load_template
from tasks.rows import (
    FINISH,
    LABELLED,
    PAIR,
    PREFERENCES_FILE,
    PROBLEMS_FILE,
    REJECTED_IDS,
    ROWS_FILE,
    SAMPLES_FILE,
    SOFT_PAIR,
    TOKEN_IDS,
    TRAINING,
    VERDICTS_FILE,
    Json,
    Row,
    read_rows,
    with_ids,
    write_rows,
)
from tasks.select.own_selector import OwnSelector
from tasks.select.results import SelectionCounts
from tasks.select.selectors import Choose
from tasks.settings import FilterSettings
from tasks.settings.finetune import HUMAN, PREFERENCES, VERDICTS
from tasks.settings.user_function import UserFunction
from tasks.store.manifest import ArtifactRef, Stats
from tasks.store.store import Draft

# Input of a call whose prompts are chats.
_CHAT = "chat"
# Setting of pairs that are not of verdicts, and the inputs of those of preferences.
_PAIRS, _PREFERENCES = "pairs", "preferences "


class Rule(Protocol):
    """`select` and `pairs`: training rows from scored samples, and what was counted."""

    def __call__(
        self,
        shards: Sequence[tuple[str, str, str]],
        problems: Sequence[Row],
        settings: FilterSettings,
        seed: int,
        prompt_of: Callable[[Row], str],
        *,
        adaptive: bool = False,
        choose: Choose | None = None,
    ) -> tuple[Iterator[Row], SelectionCounts]:
        """The rows, and counts that grow while the rows are consumed."""
        ...


def select_call(
    label: str,
    settings: FilterSettings,
    *,
    seed: int,
    prompt: str,
    shots: int,
    template: PromptChoice,
    problems: ArtifactRef,
    samples: list[ArtifactRef],
    verdicts: list[ArtifactRef],
    chat: ArtifactRef | None = None,
    adaptive: bool = False,
) -> Call:
    """The call that makes the training rows of an iteration.

    Args:
        label: Name of the task run.
        settings: The rules.
        seed: Of the draw behind the cap.
        prompt: Digest of the prompt template that rows are written with.
        shots: Exemplars in that prompt.
        template: The template.
        problems: All problems (training ones, and test ones to decontaminate against).
        samples: Shards, and in the same order
        verdicts: their verdicts.
        chat: Policy whose chat template renders the prompts, where they are chats.
        adaptive: Whether verdicts decided how many samples a problem got.
    """
    inputs = {"problems": problems, **inputs_of("", samples, verdicts)}
    keyed = {**settings.recipe(), "seed": seed, "prompt": prompt, "shots": shots}
    if adaptive:
        keyed["adaptive"] = True
    hints: dict[str, object] = {**template.hints()}
    if (function := settings.functions.get("select")) is not None:
        hints["select"] = function.to_json()
    if chat is not None:
        inputs[_CHAT] = chat
    return Call(select_rows, label, keyed, inputs, hints)


def labelled_call(selection: Call) -> Call:
    """The call that adds rows of wrong samples to those of a `select_call`."""
    return replace(selection, step=make_labelled)


def pairs_call(
    selection: Call, kind: str = VERDICTS, preferences: Sequence[ArtifactRef] = ()
) -> Call:
    """The call that makes preference pairs in the place of the rows of a `select_call`.

    Args:
        selection: What it would be.
        kind: As `finetune.pairs`.
        preferences: Labelled pairs, where these are what it is made of.
    """
    if kind == VERDICTS:
        return replace(selection, step=make_pairs)
    return replace(
        selection,
        step=make_pairs,
        settings={**selection.settings, _PAIRS: kind},
        inputs=selection.inputs | {f"{_PREFERENCES}{n}": ref for n, ref in enumerate(preferences)},
    )


@step(SELECT, "rows")
def select_rows(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Apply the rules of FilterSettings and count what each dropped."""
    from tasks.select.select import select

    counts = _make(call, draft, runtime, select, TRAINING, [TOKEN_IDS])
    rules = call.settings
    whole = rules.get("min_reward", 1.0) == 1.0 and "rewards" not in rules
    accepted = "correct" if whole and rules.get("score", "correct") == "correct" else "accepted"
    draft.stats = Stats(
        note=f"{counts.samples:,} samples, {counts.correct:,} {accepted}, {draft.rows:,} rows kept"
    )


@step(LABELLED_ROWS, "rows")
def make_labelled(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Rows of right and of wrong samples, each with its label."""
    from tasks.select.labelled import labelled

    counts = _make(call, draft, runtime, labelled, LABELLED, [TOKEN_IDS])
    draft.stats = Stats(
        note=f"{counts.samples:,} samples, {counts.kept:,} right and {counts.wrong or 0:,} wrong "
        "rows kept"
    )


@step(PAIRS, "rows")
def make_pairs(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Put a wrong sample beside each that `select` would keep, or what else `kind` says."""
    rule, schema = _pairs_rule(call, runtime)
    counts = _make(call, draft, runtime, rule, schema, [TOKEN_IDS, REJECTED_IDS])
    draft.stats = Stats(
        note=f"{counts.samples:,} samples, {counts.correct:,} correct, {counts.kept:,} kept, "
        f"{draft.rows:,} pairs"
    )


def _pairs_rule(call: Call, runtime: Runtime) -> tuple[Rule, pa.Schema]:
    """What makes the pairs of a call, and the form of their rows."""
    from tasks.select.extremes import extreme_pairs
    from tasks.select.human_pairs import human_pairs
    from tasks.select.pairs import pairs
    from tasks.select.preferences import preference_pairs

    kind = call.settings.get(_PAIRS, VERDICTS)
    if kind != PREFERENCES:
        return {VERDICTS: pairs, HUMAN: human_pairs}.get(kind, extreme_pairs), PAIR
    files = [
        runtime.store.path(ref) / PREFERENCES_FILE
        for name, ref in call.inputs.items()
        if name.startswith(_PREFERENCES)
    ]
    labelled = (row for file in files for row in read_rows(file))
    return partial(preference_pairs, labelled), SOFT_PAIR


def _make(
    call: Call, draft: Draft, runtime: Runtime, rule: Rule, schema: pa.Schema, ids: Sequence[str]
) -> SelectionCounts:
    """Write the rows that `rule` makes of the samples, and what it counted, which is returned.

    Of samples with their tokens the rows have the columns `ids` besides, and how each sample ended.
    """
    from tasks.select.drawn import with_ids_of

    settings = call.settings
    template = load_template(PromptChoice.of(call.hints), settings["prompt"])
    render = template.render
    if template.form == "chat":
        from tasks.decoding.chat import Chat

        render = Chat(runtime.store.path(call.inputs[_CHAT]), template).render
    seed, shots = settings["seed"], settings["shots"]
    rules = rules_of(call.settings, call.hints)
    with contextlib.ExitStack() as stack:
        choose = None
        if "select" in call.hints:
            selector = UserFunction.from_json(call.hints["select"])
            choose = stack.enter_context(
                OwnSelector(selector, rules.function_seconds, runtime.logs)
            )
        shards = _shards(call, runtime)
        if rules.select != "human" and with_ids_of(shards):
            schema = with_ids(schema, *ids).append(pa.field(FINISH, pa.string()))
        rows, counts = rule(
            shards,
            list(read_rows(runtime.store.path(call.inputs["problems"]) / PROBLEMS_FILE)),
            rules,
            seed,
            lambda problem: render(problem["question"], shots, problem["subject"]),
            adaptive=settings.get("adaptive", False),
            choose=choose,
        )
        draft.rows = write_rows(draft.path / ROWS_FILE, schema, rows)
    counts.write(draft.path)
    return counts


def rules_of(settings: Json, hints: Json) -> FilterSettings:
    """The rules of a call or of what it left, from its settings and hints."""
    # Functions of the user's stand there by what they are; rules read neither reward nor score.
    own = {"score", "rewards", *(["select"] if "select" in hints else [])}
    besides = {"prompt", "seed", "shots", "adaptive", _PAIRS, *own}
    return FilterSettings(**{name: settings[name] for name in settings if name not in besides})


def _shards(call: Call, runtime: Runtime) -> list[tuple[str, str, str]]:
    """Paths of samples and verdicts, and the key of the samples, shard by shard."""
    return [
        (
            str(runtime.store.path(shard.samples) / SAMPLES_FILE),
            str(runtime.store.path(shard.verdicts) / VERDICTS_FILE),
            shard.samples.key,
        )
        for shard in shards_of(call.inputs)
    ]
