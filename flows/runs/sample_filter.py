"""Which samples of a run somebody asks for: one form for the console, for pages and for links."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Final, get_args
from urllib.parse import urlencode

from flows.report.values import UNCHECKED
from tasks.dag.step_names import DRAW, PASS_AT_K
from tasks.decoding.request import Finish
from tasks.errors import UserError
from tasks.rows import Status
from tasks.select.results import FATES

# A sample is right where the base's of the same problem is wrong, and the reverse.
SOLVED: Final = "solved"
LOST: Final = "lost"
# Names of several verdicts at once.
NOT_CORRECT: Final = "not_correct"
NOT_CHECKED: Final = "not_checked"
GROUPS: Final = {
    NOT_CORRECT: frozenset(Status) - {Status.CORRECT},
    NOT_CHECKED: frozenset(UNCHECKED),
}
FINISHES: Final[tuple[str, ...]] = get_args(Finish)
CUT: Final[Finish] = "length"
_DIGITS = 9


def number_of(field: str, text: str) -> int:
    """A whole number of a link or a form, from 0.

    Raises:
        UserError: naming the field.
    """
    if not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        raise UserError(f"{field}: {text[:80]}: expected a whole number")
    return int(text)


@dataclass(frozen=True)
class SampleFilter:
    """Samples that have all of this; a field at its default asks for nothing.

    Attributes:
        purpose: What they were drawn for: draw (training), test, train, validation, pass@k, or a
            transfer benchmark; of an evaluation, a benchmark with `greedy` or `pass@k` behind it.
        iteration: The policy that they are of, 0 for the base or, in an evaluation, for the one
            that is compared with; None: all.
        status: Their verdict, or `not_correct` or `not_checked` for several.
        flipped: `solved`: right where the base's sample of the problem is wrong; `lost`: the
            reverse. Only for purposes with one sample a problem.
        problem: Id of the problem or, where none has it, a text in its question.
        text: A text in the sample.
        fate: What the selection made of it, where it is accepted: `kept` (trained on), `unfinished`
            (cut at the token limit), `duplicate`, `outside_band` (of a problem solved too rarely or
            too often) or `over_cap`. Only of samples drawn to train on.
        finish: How it ended: `stop`, `length` (cut at the token limit), `refused` or `error`.
    """

    purpose: str = DRAW
    iteration: int | None = None
    status: str = ""
    flipped: str = ""
    problem: str = ""
    text: str = ""
    fate: str = ""
    finish: str = ""

    @classmethod
    def of(cls, given: Mapping[str, str]) -> SampleFilter:
        """The filter of a link or a form; fields that are empty are not asked for.

        Raises:
            UserError: naming the field.
        """
        known = [field.name for field in fields(cls)]
        for name in given:
            if name not in known:
                raise UserError(f"{name[:80]}: no such field; expected {', '.join(known)}")
        texts = {name: value for name, value in given.items() if value}
        number = texts.pop("iteration", "")
        asked = cls(iteration=number_of("iteration", number) if number else None)
        asked = replace(asked, **texts)
        asked.check()
        return asked

    def check(self) -> None:
        """See that it can be asked.

        Raises:
            UserError: naming the field.
        """
        statuses = [*(one.value for one in Status), *GROUPS]
        if self.status and self.status not in statuses:
            raise UserError(f"status: {self.status[:80]}: expected one of: {', '.join(statuses)}")
        if self.flipped not in ("", SOLVED, LOST):
            raise UserError(f"flipped: {self.flipped[:80]}: expected {SOLVED} or {LOST}")
        if self.flipped and (self.purpose == DRAW or self.purpose.endswith(PASS_AT_K)):
            raise UserError(
                f"flipped: {self.flipped}: samples for {self.purpose} are several a problem; "
                "expected another purpose, such as test"
            )
        if self.fate and self.fate not in FATES:
            raise UserError(f"fate: {self.fate[:80]}: expected one of: {', '.join(FATES)}")
        if self.fate and self.purpose != DRAW:
            raise UserError(f"fate: {self.fate}: only samples for {DRAW} are selected from")
        if self.finish and self.finish not in FINISHES:
            raise UserError(f"finish: {self.finish[:80]}: expected one of: {', '.join(FINISHES)}")
        for name in ("problem", "text"):
            try:
                getattr(self, name).encode()
            except UnicodeEncodeError:
                raise UserError(f"{name}: expected a text in UTF-8") from None

    @property
    def statuses(self) -> frozenset[Status]:
        """The verdicts asked for; empty: any."""
        if not self.status:
            return frozenset()
        return GROUPS.get(self.status) or frozenset({Status(self.status)})

    @property
    def query(self) -> str:
        """The part of a link behind `?`."""
        return urlencode(self._asked)

    def command(self, run: str) -> str:
        """The command that shows these samples."""
        flags = [part for name, value in self._asked.items() for part in (f"--{name}", value)]
        return shlex.join(["restem", "samples", run, *flags])

    @property
    def _asked(self) -> dict[str, str]:
        """By name what is not at its default."""
        given = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: str(value) for name, (value, none) in given.items() if value != none}
