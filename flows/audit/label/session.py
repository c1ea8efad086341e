"""One person at the labels of a run: which pair is next, what they say of it, and who agrees.

Nothing is held in memory but the pairs: what was said is read from the file each time, so a server
that is started again goes on where the file ends.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import ClassVar

from flows.audit.label.labels import LabelFile, LabelKey, key_of
from flows.audit.label.pairs import AskedPair, AskedPairs
from tasks.compare.people import Label
from tasks.evaluate.kappa import KappaFacts, Preference, RatedPair, agreement_of
from tasks.facts import Facts

RESAMPLES, CONFIDENCE = 1000, 0.95
NOBODY = "(no name)"


class Says(StrEnum):
    """What a person says of the two answers that they see."""

    LEFT = "left"
    RIGHT = "right"
    TIE = "tie"
    SKIP = "skip"


@dataclass(frozen=True)
class ShownPair(Facts):
    """A pair as the page shows it; `left` and `right` are in an order of the person's own."""

    id: str
    question: str
    left: str
    right: str


@dataclass(frozen=True)
class AgreementLine(Facts):
    """Two raters who looked at the same pairs."""

    one: str
    other: str
    found: KappaFacts


@dataclass(frozen=True)
class LabelState(Facts):
    """What the page shows.

    Attributes:
        number: Of the pair that is shown among all, from 1.
        pairs: How many there are.
        labelled, skipped: By this person.
        shown: The next pair; None: they are through.
        last: Id of the pair that Undo takes back; empty: none.
        people: How many labels each person has, skipped pairs left out.
        agreements: Between people, and with the run's own labellers.
    """

    SPARSE: ClassVar[tuple[str, ...]] = ("shown",)

    run: str
    iteration: int
    person: str
    number: int
    pairs: int
    labelled: int
    skipped: int
    last: str
    shown: ShownPair | None = None
    people: dict[str, int] = field(default_factory=dict[str, int])
    agreements: list[AgreementLine] = field(default_factory=list[AgreementLine])


class UnknownPair(Exception):
    """The page speaks of a pair that this run has not."""


class Session:
    """A person who labels pairs."""

    def __init__(self, asked: AskedPairs, file: LabelFile, person: str) -> None:
        """Nothing is read yet."""
        self._asked, self._file, self._person = asked, file, person
        self._by_id = {one.id: one for one in asked.pairs}

    def state(self) -> LabelState:
        """What there is to show; raises as `LabelFile.read`."""
        by_person = _by_person(self._file.read(), self._asked.pairs)
        own = by_person.get(self._person, {})
        left = (place for place, one in enumerate(self._asked.pairs) if one.key not in own)
        place = next(left, None)
        ids = {one.key: one.id for one in self._asked.pairs}
        said = [p for p in own.values() if p is not None]
        return LabelState(
            self._asked.run,
            self._asked.iteration,
            self._person,
            number=len(self._asked.pairs) if place is None else place + 1,
            pairs=len(self._asked.pairs),
            labelled=len(said),
            skipped=len(own) - len(said),
            last=ids[next(reversed(own))] if own else "",
            shown=None if place is None else self._shown(self._asked.pairs[place]),
            people={
                who: sum(p is not None for p in labels.values())
                for who, labels in sorted(by_person.items())
            },
            agreements=agreements(by_person, self._asked.said),
        )

    def say(self, pair_id: str, says: Says) -> None:
        """Keep what the person says of a pair.

        Raises:
            UnknownPair: it is none of this run.
            OSError: it cannot be written.
        """
        one = self._find(pair_id)
        p = {Says.LEFT: 1.0, Says.RIGHT: 0.0, Says.TIE: 0.5, Says.SKIP: None}[says]
        if p is not None and self._turned(one):
            p = 1.0 - p
        self._file.put(self._person, one.pair, p)

    def undo(self, pair_id: str) -> None:
        """Take back what the person said of a pair; raises as `say`."""
        self._file.remove(self._person, self._find(pair_id).pair)

    def _find(self, pair_id: str) -> AskedPair:
        if pair_id not in self._by_id:
            raise UnknownPair
        return self._by_id[pair_id]

    def _turned(self, one: AskedPair) -> bool:
        """Whether the pair's first sample stands on the right, by a draw for each person."""
        named = f"{self._person}\x1f{one.id}".encode("utf-8", "surrogatepass")
        return hashlib.sha256(named).digest()[0] % 2 == 1

    def _shown(self, one: AskedPair) -> ShownPair:
        left, right = one.pair.texts[:: -1 if self._turned(one) else 1]
        return ShownPair(one.id, one.question, left, right)


def _by_person(
    labels: Sequence[Label], pairs: Sequence[AskedPair]
) -> dict[str, dict[LabelKey, float | None]]:
    """By person, what they said of these pairs, in the order in which they did."""
    asked = {key_of(one.pair): one.pair for one in pairs}
    found: dict[str, dict[LabelKey, float | None]] = {}
    for label in labels:
        key = label.problem, label.first, label.second
        if key in asked and label.is_of(asked[key]):
            own = found.setdefault(label.who or NOBODY, {})
            own.pop(key, None)  # what was said last stands last
            own[key] = label.p
    return found


def agreements(
    by_person: Mapping[str, Mapping[LabelKey, float | None]],
    others: Mapping[str, Mapping[LabelKey, float]],
) -> list[AgreementLine]:
    """Agreement between each two people, then of each person with each of the others.

    A checker says nothing of a pair whose samples it rewards alike; a judge has no ties but by
    chance. Skipped pairs count nowhere.
    """
    people = sorted(by_person)
    couples = [(one, two, by_person[one], by_person[two]) for one, two in _two(people)]
    couples += [
        (one, f"the {who}", by_person[one], others[who]) for who in others for one in people
    ]
    found: list[AgreementLine] = []
    for one, other, first, second in couples:
        both = [
            RatedPair(key[0], Preference.of(p), Preference.of(q))
            for key, p in first.items()
            if p is not None and (q := second.get(key)) is not None
        ]
        if (facts := agreement_of(both, RESAMPLES, CONFIDENCE, seed=0)) is not None:
            found.append(AgreementLine(one, other, facts))
    return found


def _two(names: Sequence[str]) -> list[tuple[str, str]]:
    return list(itertools.combinations(names, 2))
