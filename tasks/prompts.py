"""Prompt templates: data in TOML files, rendered the same way for sampling and for training.

A prompt is the preamble, the first so many exemplars, and the query with the question in it. A
completion ends by the model's end token or before a stop string; training rows are the prompt, the
completion, and the end token.
"""

from __future__ import annotations

import hashlib
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.errors import UserError

TEMPLATES = Path(__file__).resolve().parent / "generate" / "prompts"
_TEXTS = ("name", "preamble", "example", "query")


@dataclass(frozen=True)
class Exemplar:
    """A question with a worked solution."""

    question: str
    solution: str


@dataclass(frozen=True)
class PromptTemplate:
    """A template as its file says it.

    Attributes:
        name: Of the template.
        preamble: Text before everything.
        example: Form of an exemplar, with {question} and {solution}.
        query: Form of the question to solve, with {question}.
        stop: Strings before which a completion ends.
        exemplars: In the order they are shown.
        digest: SHA-256 of what can change a prompt or where a completion ends.
    """

    name: str
    preamble: str
    example: str
    query: str
    stop: tuple[str, ...]
    exemplars: tuple[Exemplar, ...]
    digest: str

    def render(self, question: str, shots: int) -> str:
        """The prompt for a question with the first `shots` exemplars."""
        shown = [
            # The solution last: a question may hold "{solution}" by chance, a solution may not
            # be filled in again.
            self.example.replace("{question}", one.question).replace("{solution}", one.solution)
            for one in self.exemplars[:shots]
        ]
        return self.preamble + "".join(shown) + self.query.replace("{question}", question)


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
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML: {error}") from None
    template = _parse(raw, path)
    if digest not in ("", template.digest):
        raise UserError(f"{path}: it was changed while the run went on; run the same command again")
    return template


def _parse(raw: dict[str, Any], path: Path) -> PromptTemplate:
    for name in _TEXTS:
        _expect(isinstance(raw.get(name), str), path, name, "a text")
    _expect("{question}" in raw["query"], path, "query", "a text with {question} in it")
    stop = raw.get("stop")
    strings = isinstance(stop, list) and all(isinstance(s, str) and s for s in stop)
    _expect(strings, path, "stop", "a list of texts that are not empty")
    exemplars = raw.get("exemplars", [])
    _expect(isinstance(exemplars, list), path, "exemplars", "tables with question and solution")
    for number, one in enumerate(exemplars, 1):
        for name in ("question", "solution"):
            good = isinstance(one, dict) and isinstance(one.get(name), str) and one[name]
            _expect(bool(good), path, f"exemplars, number {number}: {name}", "a text")
    if exemplars:
        both = all(mark in raw["example"] for mark in ("{question}", "{solution}"))
        _expect(both, path, "example", "a text with {question} and {solution} in it")
    unknown = set(raw) - {*_TEXTS, "stop", "exemplars"}
    _expect(not unknown, path, ", ".join(sorted(unknown)), "no such field")
    shown = [raw["preamble"], raw["example"], raw["query"], raw["stop"]]
    shown += [[one["question"], one["solution"]] for one in exemplars]
    return PromptTemplate(
        raw["name"],
        raw["preamble"],
        raw["example"],
        raw["query"],
        tuple(raw["stop"]),
        tuple(Exemplar(one["question"], one["solution"]) for one in exemplars),
        hashlib.sha256(repr(shown).encode()).hexdigest(),
    )


def _expect(good: bool, path: Path, field: str, expected: str) -> None:
    if not good:
        raise UserError(f"{path}: {field}: expected {expected}")
