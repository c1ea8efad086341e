"""Is a model's answer the reference's? Rules from cheap to dear; nothing is ever evaluated as code.

1. the same text after normalisation; 2. the same exact number; 3. the same shape with equal parts
(forms.py); 4. certainly different values at one point; 5. symbolic equality, in a process that can
be killed (symbolic.py, pool.py). `decide` is rules 1 to 4, safe anywhere: every step has a limit.

The outcome does not depend on which side is the reference, extraction apart. What is over a limit
or out of time is `checker_error`: said and counted, never a silent wrong answer.
"""

from __future__ import annotations

import re

from tasks.dag.contracts import Grade
from tasks.rows import Status
from tasks.score.math.compare.amounts import Symbolic, decimal_comma, plain_number, tree_of
from tasks.score.math.compare.forms import same_forms, with_parameter
from tasks.score.math.extract.answer import extract_answer, gold_answer, last_words
from tasks.score.math.extract.choices import same_choice, without_letter
from tasks.score.math.extract.sentences import what_is
from tasks.score.math.limits import MAX_ANSWER, MAX_LENGTH, MAX_SHOWN, MAX_SOLUTION
from tasks.score.math.parse.forms import read_form
from tasks.score.math.parse.names import OPERATIONS
from tasks.score.math.parse.normalize import canonical, key
from tasks.score.math.parse.values import real

_TEXT = re.compile(r"^\\text\{([^{}]*)\}$")
# A text with one of these is no bare answer.
_MARKS = ("boxed", "####")
_LONGEST_VERDICT = len(r"\text{False.}")
_OPPOSITES = frozenset(("yes", "no", "true", "false"))
_VERDICT = re.compile(r"\b(yes|no|true|false)\b(?! (?:solution|real|integer|such))", re.IGNORECASE)
_BOUNDS = re.compile(r"_\s*\{[^{}]*\}")
# What is called about equal differs by no more than this share.
APPROXIMATE = 0.05


def decide(
    gold: str, prediction: str, symbolic: Symbolic | None = None, *, work_out: bool = False
) -> Grade | None:
    """The verdict by the cheap rules, or None where only symbolic work can tell.

    Args:
        gold: The reference answer or solution.
        prediction: What the model wrote.
        symbolic: Compares two expressions; with it the verdict is never None.
        work_out: Accept an answer that still has the operation whose result the reference is.
    """
    answer = extract_answer(prediction)
    reference = gold_answer(gold)
    if not answer:
        same_text = bool(reference) and _same_line(reference, prediction)
        return _graded(True, prediction.strip()) if same_text else _no_answer()
    try:
        same = same_answer(reference, answer, symbolic, work_out=work_out)
        whole = prediction.strip()
        # A bare answer in words ("all real numbers above 3") must not lose to extraction.
        if same is not True and _same_whole(gold, reference, whole):
            return _graded(True, whole)
        if same is False and " is " in reference and (said := what_is(reference)):
            same = same_answer(said, answer, symbolic, work_out=work_out)
    except Exception:
        # Refused, or RecursionError where the caller's stack is deep already. A mistake of ours
        # must not end a run of a million samples either: the status is counted and shown.
        return refused(answer)
    if same is None:
        return None if symbolic is None else Grade(0.0, Status.CHECKER_ERROR, answer)
    return _graded(same, answer)


def _same_line(reference: str, prediction: str) -> bool:
    """Whether a prediction, or its last line, is the reference's text."""
    if len(prediction) > MAX_SOLUTION:
        return False
    lines = (prediction, prediction.strip().rpartition("\n")[2])
    return key(canonical(reference)) in [key(canonical(line)) for line in lines]


def _same_whole(gold: str, reference: str, whole: str) -> bool:
    """Whether a prediction without marks is the reference as it stands."""
    if whole == gold.strip():
        return True
    # The same words say the same, whatever is read out of them.
    words = gold.strip().rstrip(".")
    if " " in words and len(words) <= MAX_ANSWER and words in whole[-MAX_ANSWER:]:
        said = key(canonical(gold))
        if any(key(canonical(one)) == said for one in last_words(whole)):
            return True
    lines = whole.count("\n") + 1
    if len(whole) > MAX_LENGTH or lines > 2 or any(mark in whole for mark in _MARKS):
        return False
    return key(canonical(whole)) in (key(canonical(reference)), key(canonical(gold)))


def bare(gold: str, prediction: str) -> tuple[str, str]:
    """The reference and the answer that `decide` compares, without the text around them."""
    return gold_answer(gold), extract_answer(prediction)


def settle(reference: str, answer: str, symbolic: Symbolic, *, work_out: bool = False) -> Grade:
    """The verdict on a pair that `decide` left open, given its bare answers."""
    try:
        same = same_answer(reference, answer, symbolic, work_out=work_out)
    except Exception:  # refused, out of memory, or what sympy cannot do
        return refused(answer)
    return refused(answer) if same is None else _graded(same, answer)


def refused(answer: str) -> Grade:
    """The verdict on an answer that the checker could not settle within its limits."""
    return Grade(0.0, Status.CHECKER_ERROR, _shown(answer))


def _graded(same: bool, answer: str) -> Grade:
    status = Status.CORRECT if same else Status.WRONG_ANSWER
    return Grade(float(same), status, _shown(answer))


def _shown(answer: str) -> str:
    return answer if len(answer) <= MAX_SHOWN else answer[: MAX_SHOWN - 1] + "…"


def _no_answer() -> Grade:
    return Grade(0.0, Status.NO_ANSWER, "")


def same_answer(
    gold: str, answer: str, symbolic: Symbolic | None = None, *, work_out: bool = False
) -> bool | None:
    """Whether two bare answers are the same; None where only symbolic work can tell.

    Raises:
        Refused: over a limit.
    """
    gold, answer = decimal_comma(gold, answer), decimal_comma(answer, gold)
    left, right = plain_number(gold), plain_number(answer)
    if left is not None and right is not None:
        return left == right
    gold, answer = canonical(gold), canonical(answer)
    if not gold or not answer:
        return False
    if key(gold) == key(answer):
        return True
    gold, answer = decimal_comma(gold, answer), decimal_comma(answer, gold)
    if r"\approx" in gold + answer:
        return _same_about(gold, answer, symbolic, work_out)
    if (verdict := _same_verdict(gold, answer)) is not None:
        return verdict
    if not work_out and (_handed_back(gold, answer) or _handed_back(answer, gold)):
        return False
    if (chosen := same_choice(gold, answer)) is not None:
        return chosen
    for one, other in ((gold, answer), (answer, gold)):
        if (choice := without_letter(one)) and not without_letter(other):
            return same_answer(choice, other, symbolic, work_out=work_out)
    left, right = read_form(gold), read_form(answer)
    if r"\pi" in gold and r"\pi" in answer:
        right = with_parameter(left, right) or right
    return same_forms(left, right, symbolic)


def _same_verdict(gold: str, answer: str) -> bool | None:
    """Yes against "No, it is not": by the word that leads; None where neither is such a word."""
    if min(len(gold), len(answer)) > _LONGEST_VERDICT:
        return None
    gold, answer = (_TEXT.sub(r"\1", text) if text[:1] == "\\" else text for text in (gold, answer))
    if len(gold) > len(answer):
        gold, answer = answer, gold
    word = gold.casefold().rstrip(".")
    if word not in _OPPOSITES:
        return None
    said = {found.casefold() for found in _VERDICT.findall(answer)}
    return said == {word} and answer.casefold().startswith(word) if said else None


def _handed_back(resolved: str, answer: str) -> bool:
    """Whether an answer still has the operation whose result the other one is.

    Either order, so that the outcome does not depend on which side is the reference.
    """
    if _unresolved(answer):
        return not _unresolved(resolved)
    number = plain_number(resolved) is not None
    return number and answer.count("!") > 1


def _unresolved(text: str) -> bool:
    r"""Whether what a text comes to has an operation in it: not `\lim f(x) = 3`."""
    if "\\" not in text:
        return False
    return bool(OPERATIONS.search(_BOUNDS.sub("", text).rpartition("=")[2]))


def _contradicts(text: str) -> bool:
    r"""Whether `a \approx b` names a decimal that the other side is nowhere near."""
    sides = [side.strip(" ()=$") for side in text.split(r"\approx")]
    trees = [tree for side in sides if side and (tree := tree_of(side)) is not None]
    values = [value for tree in trees if (value := real(tree)) is not None]
    if len(values) < 2:
        return False
    return max(values) - min(values) > APPROXIMATE * max(map(abs, values))


def _same_about(gold: str, answer: str, symbolic: Symbolic | None, work_out: bool) -> bool | None:
    r"""An exact value with its decimal, `a \approx b`, says either."""
    if any(map(_contradicts, (gold, answer))):
        return False
    pairs = [
        (one, other)
        for one in gold.split(r"\approx")
        for other in answer.split(r"\approx")
        if one.strip(" ()=") and other.strip(" ()=")
    ]
    outcomes = [same_answer(*pair, symbolic, work_out=work_out) for pair in pairs[:4]]
    return True if True in outcomes else None if None in outcomes else False
