"""The file of labels: written whole and durably at each label, by any number of people at once.

It has a line for each person and pair, and is what `judge.source` takes (tasks/compare/people.py).
Whoever writes holds its lock, reads it anew and replaces it, so a kill at any moment leaves it as
it was before a label or after it. Lines of others stay as they are.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from tasks.compare.draw import Pair
from tasks.compare.people import Label, parse_labels, text_names
from tasks.durable import make_folders, write_durably
from tasks.errors import UserError
from tasks.store.locks import alone

# Of one person, by a pair's problem and indices.
LabelKey = tuple[str, int, int]


@dataclass(frozen=True)
class _Line:
    text: str
    label: Label

    def is_of(self, who: str, pair: Pair) -> bool:
        """Whether a person said it of these very texts."""
        label = self.label
        same = (label.problem, label.first, label.second) == key_of(pair)
        return label.who == who and same and label.is_of(pair)


class LabelFile:
    """Labels of a run's pairs."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path

    def read(self) -> list[Label]:
        """All labels in the order of the file, the last said last.

        Raises:
            UserError: it cannot be read, or a line (named) is no label.
        """
        return [line.label for line in self._lines()]

    def put(self, who: str, pair: Pair, p: float | None) -> None:
        """Keep what a person says of a pair; it takes the place of what they said of it before.

        Args:
            p: Probability that the pair's first sample is the better one; None: they cannot say.

        Raises:
            OSError: it cannot be written.
        """
        problem, first, second = key_of(pair)
        said = {"problem": problem, "first": first, "second": second, "p": p, "who": who}
        new = json.dumps({**said, "texts": text_names(pair)}, ensure_ascii=False)
        with self._alone():
            self._write([one.text for one in self._lines() if not one.is_of(who, pair)] + [new])

    def remove(self, who: str, pair: Pair) -> None:
        """Take back what a person said of a pair, if they did; raises as `put`."""
        with self._alone():
            lines = self._lines()
            kept = [one.text for one in lines if not one.is_of(who, pair)]
            if len(kept) < len(lines):
                self._write(kept)

    def check(self) -> None:
        """See that it can be read, and written where there is none.

        Raises:
            UserError: naming the file, and the line.
        """
        self._lines()
        if self.path.is_dir() or not self.path.absolute().parent.is_dir():
            raise UserError(f"--out {self.path}: expected a file in a folder that is there")

    def _lines(self) -> list[_Line]:
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"--out {self.path}: cannot be read ({error.strerror})") from None
        labels = parse_labels(raw, self.path)
        texts = [line.decode() for line in raw.splitlines() if line.strip()]
        return [_Line(*one) for one in zip(texts, labels, strict=True)]

    def _write(self, lines: list[str]) -> None:
        write_durably(self.path, "".join(f"{line}\n" for line in lines))

    def _alone(self) -> AbstractContextManager[None]:
        make_folders(self.path.absolute().parent)
        return alone(self.path.with_name(f".{self.path.name}.lock"))


def key_of(pair: Pair) -> LabelKey:
    """What names a pair in the file."""
    return pair.problem_id, pair.first, pair.second
