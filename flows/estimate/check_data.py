"""What `restem data check` finds: the problems as a run would read them, before there is one.

Rows by split, which column was taken for what, the first problems, a prompt with its tokens, and
whether each reference passes its own checker: one that does not can never be rewarded.

Not covered: whether an answer is right.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path

from flows.config.read import change, parse
from flows.config.rest_em import RestEmConfig
from flows.config.run_file import read_config
from tasks.dag.runtime import home
from tasks.errors import StepError, UserError
from tasks.problems.loading import prepare_splits
from tasks.problems.longest import keep_longest
from tasks.problems.own.load import Found, OwnProblems
from tasks.problems.own.tries import reference_try
from tasks.problems.own_loader import own_loaders
from tasks.problems.ungradable import LeftOut, describe
from tasks.rows import Json, Row, Status
from tasks.settings.problems import OWN

# Without a configuration nothing is known of a run's validation.
_NO_CONFIG: Json = {"data": {"validation": 0}}


@dataclass(frozen=True)
class Place:
    """How one file, or one split on the Hub, was read.

    Attributes:
        place: Its name.
        columns: By role what the column is called.
        others: Columns that are not used.
        rows: How many, by split.
    """

    place: str
    columns: dict[str, str]
    others: list[str]
    rows: dict[str, int]


@dataclass(frozen=True)
class Prompt:
    """A prompt as it will be sent.

    Attributes:
        id: Of the problem.
        text: The prompt.
        tokens: How many; None where the tokenizer is not at hand.
    """

    id: str
    text: str
    tokens: int | None


@dataclass(frozen=True)
class Failure:
    """A reference that does not pass its own checker."""

    id: str
    place: str
    reference: str
    status: str


@dataclass
class DataFacts:
    """All that is found.

    Attributes:
        rows: Problems of a run, by split.
        notes: What is left out or drawn, in words.
        places: How each file was read; none for a named data set.
        first: The first problems, training before test.
        prompt: Of the first problem.
        longest: Of the problem with the longest question.
        no_tokens: Why tokens are not counted, or "".
        tried: References that were given to their checker.
        passed: Those that passed.
        untried: Problems without anything to try: programs without a solution.
        not_checked: Why nothing could be checked, or "".
        failures: Those that did not pass.
    """

    rows: dict[str, int]
    notes: str
    places: list[Place]
    first: list[Row]
    prompt: Prompt
    longest: Prompt
    no_tokens: str = ""
    tried: int = 0
    passed: int = 0
    untried: int = 0
    not_checked: str = ""
    failures: list[Failure] = field(default_factory=list)

    def to_json(self) -> dict[str, object]:
        """For `--json`."""
        return asdict(self)


def data_config(source: str, config: str, changes: list[str]) -> RestEmConfig:
    """The configuration that is checked.

    Args:
        source: Problems of one's own, in the place of the configuration's; "": those.
        config: A TOML file or a name in configs/; "": the defaults, and no validation.
        changes: `key=value`, applied last.

    Raises:
        UserError: naming the file or field and what was expected.
    """
    if not source and not config:
        raise UserError("SOURCE: expected a file, a folder or a Hub id, or --config")
    raw: Json
    raw, file = read_config(config) if config else (dict(_NO_CONFIG), "--set")
    if source:
        raw["data"] = {**raw.get("data", {}), "train": OWN, "source": source}
    change(raw, changes)
    return parse(RestEmConfig, raw, file, changes)


def check_data(config: RestEmConfig, shown: int) -> DataFacts:
    """Read the problems of a configuration and try their references.

    Args:
        config: Of a run.
        shown: Problems in `first`.

    Raises:
        UserError: Naming the source, or file, row and column.
    """
    left_out: LeftOut = {}
    own: list[OwnProblems] = []
    functions = {name: one.to_json() for name, one in config.data.functions.items()}
    loaders = own_loaders(functions, config.data.model_dump(), home() / "logs")
    splits = prepare_splits(config.data, left_out, own, loaders)
    splits, cut = keep_longest(splits, config.data.max_tests)
    rows = [*splits["train"], *splits["validation"], *splits["test"]]
    longest = max(rows, key=lambda row: len(row["question"]))
    (prompt, asked_longest), why = _prompts(config, [rows[0], longest])
    facts = DataFacts(
        {split: len(found) for split, found in splits.items()},
        "; ".join(
            filter(None, [describe(left_out, {}), cut, *(n for one in own for n in one.notes)])
        ),
        [_place(one) for source in own for one in source.found],
        rows[:shown],
        prompt,
        asked_longest,
        why,
    )
    places = {name: place for one in own for name, place in one.places.items()}
    _try(config, rows, places, facts)
    return facts


def _place(found: Found) -> Place:
    names = {role: ", ".join(name) for role, name in found.columns.names.items()}
    return Place(found.place, names, list(found.columns.others), dict(found.rows))


def _prompts(config: RestEmConfig, rows: list[Row]) -> tuple[list[Prompt], str]:
    """Prompts as the base policy gets them, and why their tokens are not counted."""
    from tasks.decoding.chat import Chat
    from tasks.prompts import PromptChoice, load_template

    model = config.model
    template = load_template(PromptChoice(model.prompt, model.system, model.thinking))
    shots = template.shots if model.shots < 0 else model.shots
    folder, why = _tokenizer(config)
    chat = Chat(folder, template) if folder and template.form == "chat" else None
    render = chat.render if chat else template.render
    texts = [render(row["question"], shots, row["subject"]) for row in rows]
    counts: list[int | None] = [None] * len(rows)
    if chat:
        counts = [len(ids) for ids in chat.ids(texts)]
    elif folder:
        from tasks.decoding.tokens import prompt_ids

        try:
            from transformers import AutoTokenizer

            tokenizer = AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)
            counts = [len(ids) for ids in prompt_ids(tokenizer, texts)]
        except (OSError, ValueError, KeyError) as error:
            why = f"the tokenizer of {model.base} cannot be read ({type(error).__name__})"
    made = [
        Prompt(row["id"], text, count) for row, text, count in zip(rows, texts, counts, strict=True)
    ]
    return made, why


def _tokenizer(config: RestEmConfig) -> tuple[Path | None, str]:
    """The folder with the base policy's tokenizer, or why there is none on this machine."""
    from tasks.dag.runtime import open_store
    from tasks.policy.step import base_call, local_model

    base = config.model.base
    try:
        path = None if base.startswith("package:") else local_model(base)
        if path is not None and path.is_dir():
            return path, ""
        store = open_store(config.resources)
        if made := store.lookup("model", base_call(config.model).key):
            return store.path(made), ""
    except UserError as error:
        return None, str(error)
    return None, f"{base} is not on this machine yet; its first run brings it"


def _try(config: RestEmConfig, rows: list[Row], places: dict[str, str], facts: DataFacts) -> None:
    """Give each reference to its own checker."""
    from flows.machines.local import LocalMachine
    from tasks.checkers.known import judged_reference
    from tasks.dag.mixed import grade_mixed
    from tasks.dag.runtime import home, open_store
    from tasks.score.step import checker_name, sandbox_settings

    tries = [(row, text) for row in rows if (text := reference_try(row)) is not None]
    facts.untried = len(rows) - len(tries)
    logs = home() / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    store = open_store(config.resources)
    with LocalMachine(store, logs, config.resources, lambda *_: None) as machine:
        try:
            grades = grade_mixed(
                machine.runtime.grader,
                [(judged_reference(row), text) for row, text in tries],
                [checker_name(row["domain"], config.execution) for row, _ in tries],
                sandbox_settings(config.execution),
            )
        except (UserError, StepError) as error:  # no Docker engine
            facts.not_checked = str(error)
            return
    facts.tried = len(tries)
    for (row, _), grade in zip(tries, grades, strict=True):
        if grade.status is Status.CORRECT:
            facts.passed += 1
            continue
        place = places.get(row["id"]) or str(row["id"])
        shown = row["reference"] if row["domain"] != "code" else "its solution"
        facts.failures.append(Failure(row["id"], place, shown, grade.status.value))
