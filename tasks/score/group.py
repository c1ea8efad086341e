r"""Groups the answers of a problem by the checker's equality, so that equal answers vote together.

Self-consistency (Wang et al., arXiv 2203.11171) counts answers; `1/2`, `0.5` and `\frac12` are
one. Cheap first: the same text or canonical key, then the cheap rules of the checker, and only
then symbolic work in the pool, whole batches of problems at once.

The checker's equality need not be transitive, so the order decides and is fixed: an answer joins
the group whose first answer it equals, the earliest group first. Not covered: programs (they have
no vote); answers that a verdict holds only in part, because they are longer than it shows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from tasks.dag.contracts import Grader
from tasks.rows import Status
from tasks.score.math.decide import decide
from tasks.score.math.extract.answer import extract_answer
from tasks.score.math.parse.normalize import canonical, key

NO_GROUP = -1
# Problems whose symbolic pairs are graded together: many more pairs than there are checker
# processes, and at 4,096 answers of a kilobyte each no more than a gigabyte.
WINDOW = 256


def group_answers(problems: Iterable[Sequence[str]], pool: Grader) -> Iterator[list[int]]:
    """Yield the groups of each problem's answers, problems in order.

    Args:
        problems: For each problem the extracted answers of its samples, in the order of their
            index; "" is no answer.
        pool: Decides what the cheap rules leave open; what it cannot decide is not equal.

    Yields:
        For each sample the position of the first answer of its group, which is at most its own;
        -1 for no answer.
    """
    waiting: deque[_Sweep] = deque()
    for answers in problems:
        waiting.append(_Sweep(answers))
        yield from _finished(waiting)
        while len(waiting) >= WINDOW:
            _decide_open(waiting, pool)
            yield from _finished(waiting)
    while waiting:
        _decide_open(waiting, pool)
        yield from _finished(waiting)


def group_texts(problems: Iterable[Sequence[str]]) -> Iterator[list[int]]:
    """The same where answers are equal only to the letter (BIG-Bench Hard)."""
    for answers in problems:
        first: dict[str, int] = {}
        yield [
            first.setdefault(answer, place) if answer else NO_GROUP
            for place, answer in enumerate(answers)
        ]


def _finished(waiting: deque[_Sweep]) -> Iterator[list[int]]:
    while waiting and not waiting[0].open:
        yield waiting.popleft().groups()


def _decide_open(waiting: Iterable[_Sweep], pool: Grader) -> None:
    """Let the pool decide the open pairs of all problems, and sweep on."""
    asking = [sweep for sweep in waiting if sweep.open]
    pairs = [pair for sweep in asking for pair in sweep.open]
    grades = pool.grade(pairs)
    for sweep in asking:
        sweep.answer([next(grades)[0].status is Status.CORRECT for _ in sweep.open])


class _Sweep:
    """The answers of one problem on their way into groups.

    The first answer without a group stands for a new one, and all others without a group are
    compared with it. That asks for no pair but those that one answer after another would need,
    and for all of a sweep at once.
    """

    def __init__(self, answers: Sequence[str]) -> None:
        self._answers = answers
        firsts: dict[str, int] = {}
        # Of each sample the first one whose answer reads the same.
        self._same_text = [
            firsts.setdefault(_text_key(answer), place) if answer else NO_GROUP
            for place, answer in enumerate(answers)
        ]
        self._group = {NO_GROUP: NO_GROUP}
        self._left = list(firsts.values())
        self._unsure: list[int] = []
        self.open: list[tuple[str, str]] = []
        self._sweep()

    def answer(self, equal: Sequence[bool]) -> None:
        """Take the pool's word on each pair of `open`, in order, and sweep on."""
        joining = {place for place, same in zip(self._unsure, equal, strict=True) if same}
        self._join(joining)
        self._sweep()

    def groups(self) -> list[int]:
        """The group of each sample; only when nothing is open."""
        return [self._group[place] for place in self._same_text]

    def _sweep(self) -> None:
        """Make groups until the pool has to decide something."""
        self._unsure, self.open = [], []
        while self._left and not self._unsure:
            self._first = self._left[0]
            joining = {self._first}
            for place in self._left[1:]:
                pair = (self._answers[self._first], _boxed(self._answers[place]))
                grade = decide(*pair)
                if grade is None:
                    self._unsure.append(place)
                    self.open.append(pair)
                elif grade.status is Status.CORRECT:
                    joining.add(place)
            self._join(joining)

    def _join(self, places: set[int]) -> None:
        self._group.update(dict.fromkeys(places, self._first))
        self._left = [place for place in self._left if place not in places]


def _text_key(answer: str) -> str:
    """What answers that read the same have in common; a text of signs alone stands for itself."""
    return key(canonical(answer)) or answer


def _boxed(answer: str) -> str:
    """An answer in a box, where it can be read back from there.

    The checker looks for the answer within a prediction. Without a box it would take the last
    number of an answer in words.
    """
    boxed = rf"\boxed{{{answer}}}"
    return boxed if extract_answer(boxed) == answer else answer
