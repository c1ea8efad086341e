"""Thousands of hostile answers: each gets a verdict, none harms the checker, its files or others.

RESTEM_FUZZ sets how many there are in all. What hangs is ended by pytest-timeout.
"""

import itertools
import os
import random

import psutil
import pytest

from tasks.rows import Status
from tasks.score.math.decide import bare, same_answer
from tasks.score.math.extract.answer import extract_answer, gold_answer
from tasks.score.math.limits import WORN_BYTES
from tasks.score.math.parse.normalize import canonical
from tasks.score.math.parse.syntax import Refused
from tasks.score.math.pool import GradePool
from tests.tasks.score.hostile_answers import CLASSES, HONEST, payloads

FUZZ = int(os.environ.get("RESTEM_FUZZ", "2000"))
SEED = os.environ.get("RESTEM_FUZZ_SEED", "1")
STATUSES = {Status.CORRECT, Status.WRONG_ANSWER, Status.NO_ANSWER, Status.CHECKER_ERROR}
KINDS = [*CLASSES, payloads.__name__]
# Each is asked once, so that the pool's memory of verdicts cannot answer.
_honest = itertools.count(1, 2)


@pytest.fixture(scope="module")
def canary(tmp_path_factory):
    """A file that payloads try to write, and a module that writes it where it is imported."""
    folder = tmp_path_factory.mktemp("canary")
    target = folder / "written"
    (folder / "restem_canary.py").write_text(f"open({str(target)!r}, 'w').write('imported')\n")
    return target


@pytest.fixture(scope="module")
def pool(canary):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(canary.parent))
        patch.syspath_prepend(str(canary.parent))
        with GradePool(workers=2, time_limit=3.0) as one:
            yield one


def texts(kind: str, canary) -> list[str]:
    draw = random.Random(f"{SEED} {kind}")
    make = CLASSES.get(kind) or (lambda given: payloads(given, str(canary)))
    return [make(draw) for _ in range(max(1, FUZZ // len(KINDS)))]


@pytest.mark.slow
@pytest.mark.timeout(900 + FUZZ // 4)
@pytest.mark.parametrize("kind", KINDS)
def test_every_hostile_answer_gets_a_verdict_and_nothing_else(kind, pool, canary):
    hostile = texts(kind, canary)
    draw = random.Random(kind)
    others = [draw.choice([draw.choice(HONEST), draw.choice(hostile)]) for _ in hostile]
    forth = [grade for grade, _ in pool.grade(zip(others, hostile, strict=True))]
    back = [grade for grade, _ in pool.grade(zip(hostile, others, strict=True))]
    assert {grade.status for grade in forth + back} <= STATUSES
    for other, text, one, two in zip(others, hostile, forth, back, strict=True):
        assert one.reward == float(one.status is Status.CORRECT)
        sure = Status.CHECKER_ERROR not in (one.status, two.status)
        if sure and bare(other, text) == bare(text, other)[::-1]:
            assert one.reward == two.reward, (other[:200], text[:200])
    number = next(_honest)
    honest = (rf"\frac{{{number}}}{{\sqrt{{2}}}}", rf"\frac{{{number}\sqrt{{2}}}}{{2}}")
    wrong = (honest[0], honest[1] + "x")
    after = [grade.status for grade, _ in pool.grade([honest, wrong])]
    assert after == [Status.CORRECT, Status.WRONG_ANSWER]
    assert not canary.exists()
    for pid in pool.pids():
        assert psutil.Process(pid).memory_info().rss <= WORN_BYTES


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_cheap_rules_are_symmetric_and_reflexive(kind, canary):
    hostile = [extract_answer(text) for text in texts(kind, canary)]
    draw = random.Random(kind)
    for text in hostile:
        other = draw.choice([draw.choice(HONEST), draw.choice(hostile), text[:-1]])
        assert outcome(text, other) is outcome(other, text), (text[:200], other[:200])
        if canonical(text):
            assert outcome(text, text) is True


def outcome(a: str, b: str) -> bool | type[Exception] | None:
    try:
        return same_answer(a, b)
    except (Refused, RecursionError) as error:
        return type(error)


def test_the_seeds_stand_for_themselves():
    assert [extract_answer(text) for text in HONEST] == [gold_answer(text) for text in HONEST]


@pytest.mark.timeout(300)  # each of these took minutes where a pattern was cubic
@pytest.mark.parametrize("unit", [" ", "\t", "\u00a0", "\n", " \n", "a ", "1 ", "x,", "sq ", "is "])
def test_long_runs_cost_no_more_than_their_length(unit, pool):
    for start, end in (("\\circ", "!"), ("12", ""), ("the answer is", "x"), ("$", "$")):
        text = start + unit * (4000 // len(unit)) + end
        for one, other in (("12", text), (text, "12"), ("12", text * 40)):
            ((grade, _),) = pool.grade([(one, other)])
            assert grade.status in STATUSES
