r"""What a judge is asked: a template in a TOML file, as prompts of policies are.

    pair = "Post: {question}\nNote 1: {first}\nNote 2: {second}\n"
    direct = "Better:"             # asked for the choice at once
    reason = "Reason:"             # asked for a reason first, up to one of `stop`
    after = "\nBetter:"            # behind the reason, before the choice
    choices = [" 1", " 2"]
    single = "Post: {question}\nNote: {answer}\n"
    score = "Score:"
    scores = [" 0", " 1", ...]     # from the worst to the best, equally far apart
    stop = ["\n"]

With `form = "chat"` what is asked is a user's message, `system` stands before it, and reason,
`after` and choice are the assistant's.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tasks.errors import UserError
from tasks.rows import Json
from tasks.store.manifest import digest_of

JUDGES = Path(__file__).resolve().parent / "prompts"
_TEXTS = {
    "pair": ("{question}", "{first}", "{second}"),
    "direct": (),
    "reason": (),
    "after": (),
    "single": ("{question}", "{answer}"),
    "score": (),
}
_OPTIONAL = {"form": "text", "system": ""}
_LISTS = {"choices": (2, 2), "scores": (2, 100), "stop": (0, 20)}
_MARK = re.compile(r"\{(question|first|second|answer)\}")


@dataclass(frozen=True)
class JudgePrompt:
    """A judge's template; what the fields mean stands at the head of the module.

    Attributes:
        digest: SHA-256 of everything in it but its name.
    """

    name: str
    form: str
    system: str
    pair: str
    direct: str
    reason: str
    after: str
    single: str
    score: str
    choices: tuple[str, ...]
    scores: tuple[str, ...]
    stop: tuple[str, ...]
    digest: str

    def compare(self, question: str, first: str, second: str, *, reasoning: bool) -> str:
        """What is asked about two answers in this order."""
        asked = _filled(self.pair, question=question, first=first, second=second)
        return asked + (self.reason if reasoning else self.direct)

    def rate(self, question: str, answer: str) -> str:
        """What is asked about one answer."""
        return _filled(self.single, question=question, answer=answer) + self.score


def load_judge_prompt(name: str, digest: str = "") -> JudgePrompt:
    """Read a judge's template.

    Args:
        name: Of a shipped one, or the path of a TOML file.
        digest: What it must be, where a cache key says so already.

    Raises:
        UserError: naming the file and the field, and what was expected.
    """
    path = Path(name).expanduser() if name.endswith(".toml") else JUDGES / f"{name}.toml"
    if not path.is_file():
        shipped = ", ".join(sorted(file.stem for file in JUDGES.glob("*.toml")))
        raise UserError(f"judge.prompt: no template {name!r}; expected a TOML file or {shipped}")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not TOML: {error}") from None
    found = _parse({"name": path.stem, **_OPTIONAL, **raw}, path)
    if digest not in ("", found.digest):
        raise UserError(f"{path}: it was changed while the run went on; run the same command again")
    return found


def _parse(raw: Json, path: Path) -> JudgePrompt:
    for name in ("name", *_OPTIONAL, *_TEXTS):
        _expect(isinstance(raw.get(name), str), path, name, "a text")
    for name, marks in _TEXTS.items():
        wanted = f"a text with {', '.join(marks)} in it"
        _expect(all(mark in raw[name] for mark in marks), path, name, wanted)
    _expect(raw["form"] in ("text", "chat"), path, "form", "text or chat")
    _expect(raw["form"] == "chat" or not raw["system"], path, "system", "it with form = chat alone")
    for name, (fewest, most) in _LISTS.items():
        given = raw.get(name)
        good = isinstance(given, list) and all(isinstance(one, str) and one for one in given)
        wanted = f"{fewest} texts" if fewest == most else f"{fewest} to {most} texts"
        _expect(good and fewest <= len(raw[name]) <= most, path, name, f"{wanted}, none empty")
    unknown = raw.keys() - {"name", *_OPTIONAL, *_TEXTS, *_LISTS}
    _expect(not unknown, path, ", ".join(sorted(unknown)), "no such field")
    digest = digest_of({name: raw[name] for name in sorted(raw) if name != "name"})
    lists: dict[str, tuple[str, ...]] = {name: tuple(raw[name]) for name in _LISTS}
    return JudgePrompt(**{**raw, **lists, "digest": digest})


def _filled(form: str, **texts: str) -> str:
    """The form filled at once: an answer may hold "{second}" by chance."""
    return _MARK.sub(lambda mark: texts[mark.group(1)], form)


def _expect(good: bool, path: Path, field: str, expected: str) -> None:
    if not good:
        raise UserError(f"{path}: {field}: expected {expected}")
