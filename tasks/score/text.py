"""Checks answers that are compared as text (BIG-Bench Hard), and marks those graded by hand.

The rule for text is the one under which BBH results are published (Suzgun et al., arXiv
2210.09261): the answer is what follows the last `answer is `, in this case, up to the end of its
line and without one full stop at its end; it must be the target to the letter. Their repository has
prompts, outputs and accuracies but no scorer; this is what the scorers written after it do.

A text without the phrase is taken for direct prompting: its first line that is not blank, without
one full stop at its end, is the answer. A chain of thought that never comes to an answer is so a
wrong answer, and only a text with nothing to take is `no_answer`.

Not covered: a letter inside a longer answer (`(A) the cat`), other spellings of one answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tasks.dag.contracts import Grade, Timed
from tasks.rows import Status
from tasks.score.math.limits import MAX_SHOWN

PHRASE = "answer is "


def exact_answer(text: str) -> str:
    """The answer in a completion, or "" where there is none."""
    # With a blank at its end, a text that stops after the phrase has the phrase.
    _, phrase, rest = f"{text} ".rpartition(PHRASE)
    if not phrase:
        rest = text.lstrip()
    return rest.split("\n", 1)[0].strip().removesuffix(".").rstrip()


class ExactGrader:
    """Grades completions by comparing text; what GradePool is for math."""

    def grade(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Timed]:
        """Yield each pair's grade and the seconds it took (0: nothing is measurable), in order.

        Args:
            pairs: References and completions.
        """
        for reference, text in pairs:
            yield _grade(reference, text), 0.0


class HandGrader:
    """Marks every completion as one that a person has to grade."""

    def grade(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Timed]:
        """Yield the grade `ungraded` for each pair."""
        for _ in pairs:
            yield Grade(0.0, Status.UNGRADED, ""), 0.0


def _grade(reference: str, text: str) -> Grade:
    answer = exact_answer(text)
    if not answer:
        return Grade(0.0, Status.NO_ANSWER, "")
    if answer == reference.strip():
        return Grade(1.0, Status.CORRECT, answer)
    return Grade(0.0, Status.WRONG_ANSWER, answer[:MAX_SHOWN])
