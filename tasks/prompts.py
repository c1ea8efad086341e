"""Prompt templates: data in TOML files, rendered the same way for sampling and for training.

A prompt is the preamble, the first so many exemplars, and the query with the question in it. A
completion ends by the model's end token or before a stop string; training rows are the prompt, the
completion, and the end token.

A template of `form = "chat"` makes messages and no text: a system text, exemplars as turns of user
and assistant, and the question as the last turn. What they look like as text is up to the policy's
own chat template (tasks/decoding/chat.py).

A template for problems of several kinds has a table [subjects.NAME] for each subject, with a
preamble and exemplars of its own, where it has them; `subjects_from` takes these tables from
another template, so that one set of exemplars serves several forms.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from tasks.errors import UserError
from tasks.rows import Json

TEMPLATES = Path(__file__).resolve().parent / "generate" / "prompts"
_FIELDS = {"name", "form", "example", "query", "stop", "exemplars", "subjects", "subjects_from"}
# What stands before the exemplars, by the form of a template.
_BEFORE = {"text": "preamble", "chat": "system"}
_THINKING = ("default", "on", "off")
# A conversation says by itself where a turn begins and ends.
_CHAT_DEFAULTS: dict[str, object] = {
    "system": "",
    "thinking": "default",
    "example": "{solution}",
    "stop": [],
}
_MARK = re.compile(r"\{(question|solution|answer)\}")


Form = Literal["text", "chat"]
Thinking = Literal["default", "on", "off"]
# A message of a conversation: its role and its content.
Message = dict[str, str]


@dataclass(frozen=True)
class PromptChoice:
    """Which template, and what the configuration says in the place of what it has.

    Attributes:
        name: Of a shipped template, or the path of a TOML file.
        system: The system text of a chat template; empty: the template's own.
        thinking: Whether a chat model is asked to think before it answers; default: as the model
            does by itself.
    """

    name: str
    system: str = ""
    thinking: Thinking = "default"

    def hints(self) -> dict[str, str]:
        """As it stands in the hints of a call."""
        said = {"system": self.system} if self.system else {}
        if self.thinking != "default":
            said["thinking"] = self.thinking
        return {"template": self.name, **said}

    @classmethod
    def of(cls, hints: Json) -> PromptChoice:
        """The inverse of `hints`, among other hints."""
        return cls(hints["template"], hints.get("system", ""), hints.get("thinking", "default"))


@dataclass(frozen=True)
class Exemplar:
    """A question with a worked solution, and where the form shows it by itself its answer."""

    question: str
    solution: str
    answer: str = ""


@dataclass(frozen=True)
class Part:
    """What stands before the query: of the template, or of one subject."""

    preamble: str
    exemplars: tuple[Exemplar, ...]


@dataclass(frozen=True)
class PromptTemplate:
    """A template as its file says it.

    Attributes:
        name: Of the template.
        preamble: Text before everything; of a chat template the system text.
        example: Form of an exemplar, with {question} and {solution} or {answer}.
        query: Form of the question to solve, with {question}.
        stop: Strings before which a completion ends.
        exemplars: In the order they are shown.
        subjects: By name the parts that take the place of preamble and exemplars; empty: one
            prompt for all subjects.
        digest: SHA-256 of what can change a prompt or where a completion ends. What a policy's own
            chat template does is in the policy's digest.
        form: Whether prompts are texts or conversations.
        thinking: See PromptChoice.
    """

    name: str
    preamble: str
    example: str
    query: str
    stop: tuple[str, ...]
    exemplars: tuple[Exemplar, ...]
    subjects: Mapping[str, Part]
    digest: str
    form: Form = "text"
    thinking: Thinking = "default"

    @property
    def shots(self) -> int:
        """The most exemplars that a prompt of this template can have."""
        parts = [self.exemplars, *(part.exemplars for part in self.subjects.values())]
        return max(map(len, parts))

    def render(self, question: str, shots: int, subject: str = "") -> str:
        """The prompt for a question with the first `shots` exemplars.

        Args:
            question: Text of the problem.
            shots: Exemplars shown, at most those there are.
            subject: Of the problem; chooses the part of a template that has subjects.

        Raises:
            UserError: The template has subjects, and not this one.
        """
        part = self._part(subject)
        shown = (_shown(self.example, one) for one in part.exemplars[:shots])
        return part.preamble + "".join(shown) + self.query.replace("{question}", question)

    def messages(self, question: str, shots: int, subject: str = "") -> list[Message]:
        """The conversation up to the question, of a chat template; arguments as of `render`."""
        part = self._part(subject)
        turns = [Message(role="system", content=part.preamble)] if part.preamble else []
        for one in part.exemplars[:shots]:
            asked = self.query.replace("{question}", one.question)
            turns.append(Message(role="user", content=asked))
            turns.append(Message(role="assistant", content=_shown(self.example, one)))
        return [*turns, Message(role="user", content=self.query.replace("{question}", question))]

    def _part(self, subject: str) -> Part:
        if self.subjects:
            if subject not in self.subjects:
                names = ", ".join(sorted(self.subjects))
                raise UserError(
                    f"model.prompt: template {self.name!r} has nothing for the subject "
                    f"{subject!r}; expected one of {names}"
                )
            return self.subjects[subject]
        return Part(self.preamble, self.exemplars)


def _shown(example: str, one: Exemplar) -> str:
    """An exemplar in its form, filled at once: a question may hold "{solution}" by chance."""
    texts = asdict(one)
    return _MARK.sub(lambda mark: texts[mark.group(1)], example)


def load_template(choice: str | PromptChoice, digest: str = "") -> PromptTemplate:
    """Read a template.

    Args:
        choice: Name of a shipped one, or the path of a TOML file; and what else is chosen.
        digest: What it must be, where a cache key already says so: an edit in the middle of a run
            must not put samples of one prompt under the key of another.

    Raises:
        UserError: naming the file and the field, and what was expected.
    """
    if isinstance(choice, str):
        choice = PromptChoice(choice)
    name = choice.name
    path = Path(name).expanduser() if name.endswith(".toml") else TEMPLATES / f"{name}.toml"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in TEMPLATES.glob("*.toml")))
        raise UserError(f"model.prompt: no template {name!r}; expected a TOML file or {shipped}")
    template = _parse(_read(path), path, choice)
    if digest not in ("", template.digest):
        raise UserError(f"{path}: it was changed while the run went on; run the same command again")
    return template


def _read(path: Path) -> Json:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML: {error}") from None


def _parse(raw: Json, path: Path, choice: PromptChoice) -> PromptTemplate:
    raw = {"form": "text", **raw}
    form: Form = raw["form"]
    _expect(isinstance(form, str) and form in _BEFORE, path, "form", "text or chat")
    thinking, own_fields = choice.thinking, {_BEFORE[form]}
    if form == "chat":
        raw, own_fields = {**_CHAT_DEFAULTS, **raw}, {"system", "thinking"}
        _expect(raw["thinking"] in _THINKING, path, "thinking", "default, on or off")
        if thinking == "default":
            thinking = raw["thinking"]
    else:
        _only_chat(choice, path)
    before = _BEFORE[form]
    for name in ("name", before, "example", "query"):
        _expect(isinstance(raw.get(name), str), path, name, "a text")
    _expect("{question}" in raw["query"], path, "query", "a text with {question} in it")
    stop = raw.get("stop")
    strings = isinstance(stop, list) and all(isinstance(s, str) and s for s in stop)
    _expect(strings, path, "stop", "a list of texts that are not empty")
    unknown = set(raw) - {*_FIELDS, *own_fields}
    _expect(not unknown, path, ", ".join(sorted(unknown)), "no such field")
    exemplars = _exemplars(raw.get("exemplars", []), raw["example"], form, path, "exemplars")
    own = Part(choice.system or raw[before], exemplars)
    tables, place = _tables(raw, path)
    parts = {
        name: _part(name, table, own, raw["example"], form, place) for name, table in tables.items()
    }
    if choice.system:
        parts = {name: Part(choice.system, part.exemplars) for name, part in parts.items()}
    return PromptTemplate(
        raw["name"],
        own.preamble,
        raw["example"],
        raw["query"],
        tuple(raw["stop"]),
        own.exemplars,
        parts,
        _digest(raw, own, parts, [form, thinking] if form == "chat" else []),
        form,
        thinking,
    )


def _only_chat(choice: PromptChoice, path: Path) -> None:
    """See that nothing is asked for that prompts of text do not have."""
    for field, given in (("system", choice.system), ("thinking", choice.thinking)):
        if given not in ("", "default"):
            raise UserError(
                f"model.{field}: {path.stem} makes prompts of text, which have no such thing; "
                "expected a template of form chat in model.prompt"
            )


def _tables(raw: Json, path: Path) -> tuple[Json, Path]:
    """The tables of the subjects, and the file that has them."""
    given = raw.get("subjects", {})
    other = raw.get("subjects_from")
    if other is not None:
        _expect("subjects" not in raw, path, "subjects", "no such field beside subjects_from")
        file = path.parent / f"{other}.toml"
        _expect(file.is_file(), path, "subjects_from", f"a template beside this one, not {other!r}")
        given, path = _read(file).get("subjects", {}), file
        _expect(bool(given), path, "subjects", "tables, as another template takes them from here")
    _expect(isinstance(given, dict), path, "subjects", "tables, one for each subject")
    return given, path


def _part(name: str, table: Any, own: Part, example: str, form: Form, path: Path) -> Part:
    """What a subject has of its own, and for the rest what the template has."""
    place = f"subjects.{name}"
    _expect(isinstance(table, dict), path, place, "a table with preamble and exemplars")
    before = "system" if form == "chat" and "system" in table else "preamble"
    unknown = set(table) - {before, "exemplars"}
    _expect(not unknown, path, f"{place}.{', '.join(sorted(unknown))}", "no such field")
    preamble = table.get(before, own.preamble)
    _expect(isinstance(preamble, str), path, f"{place}.{before}", "a text")
    if "exemplars" not in table:
        return Part(preamble, own.exemplars)
    found = _exemplars(table["exemplars"], example, form, path, f"{place}.exemplars")
    return Part(preamble, found)


def _exemplars(
    given: Any, example: str, form: Form, path: Path, place: str
) -> tuple[Exemplar, ...]:
    _expect(isinstance(given, list), path, place, "tables with question and solution")
    needed = ["question", "solution", *(["answer"] if "{answer}" in example else [])]
    for number, one in enumerate(given, 1):
        for name in needed:
            good = isinstance(one, dict) and isinstance(one.get(name), str) and one[name]
            _expect(bool(good), path, f"{place}, number {number}: {name}", "a text")
    marks = set(_MARK.findall(example))
    # In a chat the question of an exemplar is a turn of its own.
    good, lead = marks > {"question"}, "{question} and "
    if form == "chat":
        good, lead = bool(marks - {"question"}), ""
    wanted = f"a text with {lead}{{solution}} or {{answer}} in it"
    _expect(not given or good, path, "example", wanted)
    return tuple(Exemplar(*(one[name] for name in needed)) for one in given)


def _digest(raw: Json, own: Part, parts: Mapping[str, Part], chat: list[str]) -> str:
    example = raw["example"]
    shown = [*chat, own.preamble, example, raw["query"], raw["stop"]]
    # Templates without answers and subjects keep the digest that they had before there were any.
    shown += [[one.question, one.solution, *filter(None, [one.answer])] for one in own.exemplars]
    for name, part in sorted(parts.items()):
        shown.append([name, part.preamble, [_shown(example, one) for one in part.exemplars]])
    return hashlib.sha256(repr(shown).encode()).hexdigest()


def _expect(good: bool, path: Path, field: str, expected: str) -> None:
    if not good:
        raise UserError(f"{path}: {field}: expected {expected}")
