"""Prompt templates: data in TOML files, rendered the same way for sampling and for training.

A prompt is the preamble, the first so many exemplars, and the query with the question in it. A
completion ends by the model's end token or before a stop string; training rows are the prompt, the
completion, and the end token.

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
from typing import Any

from tasks.errors import UserError
from tasks.rows import Json

TEMPLATES = Path(__file__).resolve().parent / "generate" / "prompts"
_TEXTS = ("name", "preamble", "example", "query")
_FIELDS = {*_TEXTS, "stop", "exemplars", "subjects", "subjects_from"}
_MARK = re.compile(r"\{(question|solution|answer)\}")


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
        preamble: Text before everything.
        example: Form of an exemplar, with {question} and {solution} or {answer}.
        query: Form of the question to solve, with {question}.
        stop: Strings before which a completion ends.
        exemplars: In the order they are shown.
        subjects: By name the parts that take the place of preamble and exemplars; empty: one
            prompt for all subjects.
        digest: SHA-256 of what can change a prompt or where a completion ends.
    """

    name: str
    preamble: str
    example: str
    query: str
    stop: tuple[str, ...]
    exemplars: tuple[Exemplar, ...]
    subjects: Mapping[str, Part]
    digest: str

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
        part = Part(self.preamble, self.exemplars)
        if self.subjects:
            if subject not in self.subjects:
                names = ", ".join(sorted(self.subjects))
                raise UserError(
                    f"model.prompt: template {self.name!r} has nothing for the subject "
                    f"{subject!r}; expected one of {names}"
                )
            part = self.subjects[subject]
        shown = (_shown(self.example, one) for one in part.exemplars[:shots])
        return part.preamble + "".join(shown) + self.query.replace("{question}", question)


def _shown(example: str, one: Exemplar) -> str:
    """An exemplar in its form, filled at once: a question may hold "{solution}" by chance."""
    texts = asdict(one)
    return _MARK.sub(lambda mark: texts[mark.group(1)], example)


def load_template(name: str, digest: str = "") -> PromptTemplate:
    """Read a template.

    Args:
        name: Of a shipped one, or the path of a TOML file.
        digest: What it must be, where a cache key already says so: an edit in the middle of a run
            must not put samples of one prompt under the key of another.

    Raises:
        UserError: naming the file and the field, and what was expected.
    """
    path = Path(name).expanduser() if name.endswith(".toml") else TEMPLATES / f"{name}.toml"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in TEMPLATES.glob("*.toml")))
        raise UserError(f"model.prompt: no template {name!r}; expected a TOML file or {shipped}")
    template = _parse(_read(path), path)
    if digest not in ("", template.digest):
        raise UserError(f"{path}: it was changed while the run went on; run the same command again")
    return template


def _read(path: Path) -> Json:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML: {error}") from None


def _parse(raw: Json, path: Path) -> PromptTemplate:
    for name in _TEXTS:
        _expect(isinstance(raw.get(name), str), path, name, "a text")
    _expect("{question}" in raw["query"], path, "query", "a text with {question} in it")
    stop = raw.get("stop")
    strings = isinstance(stop, list) and all(isinstance(s, str) and s for s in stop)
    _expect(strings, path, "stop", "a list of texts that are not empty")
    unknown = set(raw) - _FIELDS
    _expect(not unknown, path, ", ".join(sorted(unknown)), "no such field")
    example = raw["example"]
    own = Part(raw["preamble"], _exemplars(raw.get("exemplars", []), example, path, "exemplars"))
    tables, place = _tables(raw, path)
    parts = {name: _part(name, table, own, example, place) for name, table in tables.items()}
    return PromptTemplate(
        raw["name"],
        own.preamble,
        example,
        raw["query"],
        tuple(raw["stop"]),
        own.exemplars,
        parts,
        _digest(raw, own, parts),
    )


def _tables(raw: Json, path: Path) -> tuple[Json, Path]:
    """The tables of the subjects, and the file that has them."""
    given: Any = raw.get("subjects", {})
    other = raw.get("subjects_from")
    if other is not None:
        _expect("subjects" not in raw, path, "subjects", "no such field beside subjects_from")
        file = path.parent / f"{other}.toml"
        _expect(file.is_file(), path, "subjects_from", f"a template beside this one, not {other!r}")
        given, path = _read(file).get("subjects"), file
        _expect(bool(given), path, "subjects", "tables, as another template takes them from here")
    _expect(isinstance(given, dict), path, "subjects", "tables, one for each subject")
    return given, path


def _part(name: str, table: Any, own: Part, example: str, path: Path) -> Part:
    """What a subject has of its own, and for the rest what the template has."""
    place = f"subjects.{name}"
    _expect(isinstance(table, dict), path, place, "a table with preamble and exemplars")
    unknown = set(table) - {"preamble", "exemplars"}
    _expect(not unknown, path, f"{place}.{', '.join(sorted(unknown))}", "no such field")
    preamble = table.get("preamble", own.preamble)
    _expect(isinstance(preamble, str), path, f"{place}.preamble", "a text")
    if "exemplars" not in table:
        return Part(preamble, own.exemplars)
    return Part(preamble, _exemplars(table["exemplars"], example, path, f"{place}.exemplars"))


def _exemplars(given: Any, example: str, path: Path, place: str) -> tuple[Exemplar, ...]:
    _expect(isinstance(given, list), path, place, "tables with question and solution")
    needed = ["question", "solution", *(["answer"] if "{answer}" in example else [])]
    for number, one in enumerate(given, 1):
        for name in needed:
            good = isinstance(one, dict) and isinstance(one.get(name), str) and one[name]
            _expect(bool(good), path, f"{place}, number {number}: {name}", "a text")
    marks = set(_MARK.findall(example))
    if given:
        both = "question" in marks and len(marks) > 1
        _expect(both, path, "example", "a text with {question} and {solution} or {answer} in it")
    return tuple(Exemplar(*(one[name] for name in needed)) for one in given)


def _digest(raw: Json, own: Part, parts: Mapping[str, Part]) -> str:
    example = raw["example"]
    shown = [raw["preamble"], example, raw["query"], raw["stop"]]
    # Templates without answers and subjects keep the digest that they had before there were any.
    shown += [[one.question, one.solution, *filter(None, [one.answer])] for one in own.exemplars]
    for name, part in sorted(parts.items()):
        shown.append([name, part.preamble, [_shown(example, one) for one in part.exemplars]])
    return hashlib.sha256(repr(shown).encode()).hexdigest()


def _expect(good: bool, path: Path, field: str, expected: str) -> None:
    if not good:
        raise UserError(f"{path}: {field}: expected {expected}")
