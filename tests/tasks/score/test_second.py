"""The second checker: its opinions with readings, hostile pairs, killed workers, nothing left."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tasks.errors import StepError
from tasks.paths import ROOT
from tasks.processes.killable import KillableProcess
from tasks.score.second import math_verify as second
from tasks.score.second.math_verify import SecondChecker
from tasks.score.second.opinion import Opinion
from tests.tasks.processes.patience import patient_but_with
from tests.tasks.processes.test_child import gone

CASES = json.loads(Path(__file__).with_name("second_cases.json").read_text())
HONEST = ("1/2", r"\boxed{\frac{2}{4}}")
ENDLESS = ["5^(5^(5^5))", r"\boxed{5^{5^{5^5}}}", r"\boxed{10^{10^{11}}}", "7^(10^10)"]
REFUSED = ["9" * 1_000_000, "\ud800", "(" * 20_000, r"\frac{" * 5_000, "$" * 20_001]


# Wall seconds: more than a pair that ends needs on a busy machine.
PLENTY = 120.0


@pytest.fixture
def patient(monkeypatch):
    """Pairs that end have plenty of time beside one that is ended at the checker's limit."""
    patient_but_with(monkeypatch, lambda question: question[-1] in ENDLESS, PLENTY)


@pytest.fixture(scope="module")
def checker():
    with SecondChecker(workers=1, limit=PLENTY) as one:
        yield one


def test_opinions_and_readings(checker):
    found = list(checker.ask((case["gold"], case["text"]) for case in CASES))
    assert [one.opinion.value for one in found] == [case["opinion"] for case in CASES]
    assert [one.answer.value for one in found] == [case["value"] for case in CASES]


@pytest.mark.slow
@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("text", ENDLESS)
def test_a_pair_that_hangs_is_undecided_and_the_next_is_right(text):
    with SecondChecker(workers=1, limit=2.0) as checker:
        first = next(iter(checker.ask([HONEST])))
        before = checker.pids()
        hung, after = list(checker.ask([("5", text), HONEST]))
        assert not set(before) & set(checker.pids())
    assert first.opinion is after.opinion is Opinion.EQUAL
    assert (hung.opinion, hung.why) == (Opinion.UNDECIDED, "time")


@pytest.mark.slow
@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_a_hostile_text_is_not_equal_and_the_next_is_right(checker, text):
    odd, honest = list(checker.ask([("5", text), HONEST]))
    assert odd.opinion is not Opinion.EQUAL
    assert honest.opinion is Opinion.EQUAL


@pytest.mark.slow
def test_an_error_of_the_library_is_undecided_not_unequal(checker):
    # sympy refuses to read so many digits; math_verify.verify alone would call it unequal.
    found = next(iter(checker.ask([("5", "9" * 10_000)])))
    assert found.opinion is Opinion.UNDECIDED and found.why


@pytest.mark.slow
def test_code_in_a_text_is_never_run(checker, tmp_path):
    target = tmp_path / "written"
    payloads = [
        f"__import__('os').system('touch {target}')",
        f"1+__import__('pathlib').Path('{target}').touch()",
        f"\\boxed{{open('{target}','w')}}",
        f"answer: (1).__class__.__base__.__subclasses__()+open('{target}','w')",
    ]
    for _ in checker.ask(("5", payload) for payload in payloads):
        pass
    assert not target.exists()


@pytest.mark.slow
@pytest.mark.usefixtures("patient")
def test_order_is_kept_with_several_workers_and_one_that_hangs():
    pairs = [(str(n), f"The answer is {n + n % 2}.") for n in range(40)]
    pairs[7] = ("5", ENDLESS[0])
    with SecondChecker(workers=2, limit=2.0) as checker:
        opinions = [one.opinion for one in checker.ask(pairs)]
    assert opinions[7] is Opinion.UNDECIDED
    rest = [one is Opinion.EQUAL for place, one in enumerate(opinions) if place != 7]
    assert rest == [n % 2 == 0 for n in range(40) if n != 7]


@pytest.mark.slow
def test_a_worker_killed_from_outside_changes_no_opinion(checker):
    list(checker.ask([HONEST]))
    for pid in checker.pids():
        os.kill(pid, signal.SIGKILL)
    assert next(iter(checker.ask([HONEST]))).opinion is Opinion.EQUAL


@pytest.mark.slow
def test_a_worker_is_replaced_after_its_share_of_pairs(monkeypatch):
    monkeypatch.setattr(second, "PAIRS_OF_A_WORKER", 2)
    with SecondChecker(workers=1, limit=PLENTY) as checker:
        seen = set()
        for _ in checker.ask([HONEST] * 2):
            seen.update(checker.pids())
        seen_later = [pid for _ in checker.ask([HONEST]) for pid in checker.pids()]
    assert seen_later and not seen & set(seen_later)


@pytest.mark.slow
def test_close_ends_the_workers():
    checker = SecondChecker(workers=2, limit=PLENTY)
    with checker:
        list(checker.ask([HONEST] * 4))
        workers = [psutil.Process(pid) for pid in checker.pids()]
    assert workers and not any(worker.is_running() for worker in workers)
    with pytest.raises((StepError, RuntimeError)):
        list(checker.ask([HONEST]))


@pytest.mark.slow
def test_closing_while_a_pair_hangs_leaves_no_process():
    with SecondChecker(workers=1, limit=PLENTY) as checker:
        opinions = checker.ask([HONEST, ("5", ENDLESS[0])])
        next(opinions)
        workers = [psutil.Process(pid) for pid in checker.pids()]
    assert workers and not any(worker.is_running() for worker in workers)


@pytest.mark.slow
def test_a_worker_ends_when_its_parent_is_killed():
    program = (
        "from tasks.processes.killable import KillableProcess\n"
        "from tasks.score.second.math_verify import SECOND_MODULE\n"
        "child = KillableProcess(SECOND_MODULE)\n"
        "assert child.ready(300)\n"
        "print(child.pid, flush=True)\n"
        f"child.ask(['5', {ENDLESS[0]!r}], 600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert parent.stdout
    pid = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone([pid])


def test_a_child_that_does_not_start_is_said():
    child = KillableProcess("tasks.score.no_such_module")
    assert not child.ready(PLENTY)
    assert child.ask(["1", "1"], PLENTY) is None
    child.end()
    child.release()


@pytest.mark.parametrize("workers, limit", [(0, 1.0), (1, 0.0), (1, -1.0)])
def test_senseless_limits_are_refused(workers, limit):
    with pytest.raises(ValueError, match="at least one worker"):
        SecondChecker(workers, limit)
