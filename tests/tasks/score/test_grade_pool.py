"""Hostile answers, killed workers and killed parents: the pool goes on, and nothing stays."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time

import psutil
import pytest

import tasks.score.math.pool as checking
from tasks.errors import StepError, UserError
from tasks.rows import Status
from tasks.score.grade_file import grade_lines
from tasks.score.math.decide import decide
from tasks.score.math.grade import grade
from tasks.score.math.pool import GradePool
from tasks.score.score import score_rows

HONEST = (r"\frac{1}{\sqrt{2}}", r"\frac{\sqrt{2}}{2}")  # needs symbolic work
# Within every limit on its text, but sympy expands it to millions of terms.
ENDLESS = (
    r"(a+b+c+d+x+y)^{60}",
    r"(a+b+c+d+x+y)^{59}(y+a+b+c+d+x)+\sqrt{z^2}-z",
)
HOSTILE = [
    "5^(5^(5^5))",
    "5^{5^{5^{5}}}",
    "5^5^5^5",
    "9" * 1_000_000,
    "1" + "0" * 999_999 + "/3",
    "(" * 50_000 + "1" + ")" * 50_000,
    "{" * 300 + "1" + "}" * 300,
    r"\frac{" * 90 + "1" + "}{2}" * 90,
    "1000000!",
    "((((9!)!)!)!)",
    "9!!!!!!!!",
    r"\binom{10^{9}}{10^{8}}",
    "2^{-1000000000}",
    "(x+1)^{1000000}",
    "+".join(["x"] * 100_000),
    r"\{" * 5_000,
    r"\boxed{" * 20_000,
    r"\(" * 100_000,
    "$" * 100_001,
    "answer is " * 50_000,
    "\\begin{pmatrix}" + "1&" * 5_000 + "\\end{pmatrix}",
    ",".join(["2500!"] * 60),
    "\\" * 99_999,
    "2" + r"\frac1" * 66,
    "a" + " " * 3_990 + " cm",
    "^" + " " * 3_990 + "x",
    r"\boxed{" * 200_000 + "1" + "}" * 200_000,
    "١٢٣",
    "\ud800",
    "1/0",
    "0^0",
    r"\frac{0}{0}",
    r"\log_1 1",
    r"\int_0^1 x^{x^x} dx",
    r"\sum_{n=1}^{\infty} \frac{1}{n^2}",
    "nan",
    r"\infty-\infty",
]


# Of processor time, and four times that of the wall's: more than a pair that ends needs on a busy
# machine, and what one that never ends costs a test.
PLENTY, SHORT = 20.0, 3.0
NEVER = 1000.0  # times that


@pytest.fixture(scope="module")
def pool():
    with GradePool(workers=1, time_limit=PLENTY) as one:
        yield one


@pytest.mark.parametrize("text", HOSTILE, ids=[str(n) for n in range(len(HOSTILE))])
def test_hostile_answer_is_not_correct_and_the_pool_goes_on(pool, text):
    results = list(pool.grade([("5", text), (text[:3000] + " 5x", r"\sqrt{5}"), HONEST]))
    assert results[0][0].reward == 0.0
    assert results[2][0].status is Status.CORRECT


def test_code_in_an_answer_is_never_run(pool, tmp_path):
    target = tmp_path / "written"
    payloads = [
        f"__import__('os').system('touch {target}')",
        f"__import__('pathlib').Path('{target}').touch()",
        f"\\frac{{__import__('os').system('touch {target}')}}{{1}}+x",
        f"[c for c in ().__class__.__base__.__subclasses__()]+open('{target}','w')",
        f"x+lambda: exec(\"open('{target}','w')\")",
        f"\\sqrt{{open('{target}','w')}}",
    ]
    for payload in payloads:
        pairs = [("x+1", payload), (payload, "x+1"), ("5", f"\\boxed{{{payload}}}")]
        assert all(result.reward == 0.0 for result, _ in pool.grade(pairs))
    assert not target.exists()


@pytest.mark.slow
def test_a_pair_over_the_limit_is_a_checker_error_and_others_are_not_hurt():
    with GradePool(workers=1, time_limit=SHORT) as pool:
        first = next(iter(pool.grade([HONEST])))[0]
        before = pool.pids()
        results = [result.status for result, _ in pool.grade([HONEST, *[ENDLESS] * 2, HONEST])]
        after = pool.pids()
    assert first.status is Status.CORRECT
    assert results == [
        Status.CORRECT,
        Status.CHECKER_ERROR,
        Status.CHECKER_ERROR,
        Status.CORRECT,
    ]
    assert before and not set(before) & set(after)


def test_plain_pairs_start_no_process():
    with GradePool(workers=2, time_limit=1.0) as pool:
        assert [result.reward for result, _ in pool.grade([("1", "1"), ("1", "2")])] == [1.0, 0.0]
        assert pool.pids() == []


def test_order_is_kept_when_dear_pairs_stand_between_cheap_ones(pool):
    pairs = [HONEST if n % 7 == 3 else (str(n), str(n + n % 2)) for n in range(1500)]
    rewards = [result.reward for result, _ in pool.grade(iter(pairs))]
    assert rewards == [1.0 if n % 7 == 3 or n % 2 == 0 else 0.0 for n in range(1500)]


@pytest.mark.slow
def test_a_worker_killed_from_outside_changes_no_verdict():
    with GradePool(workers=1, time_limit=PLENTY) as pool:
        list(pool.grade([HONEST]))
        for pid in pool.pids():
            os.kill(pid, signal.SIGKILL)
        assert next(iter(pool.grade([HONEST[::-1]])))[0].status is Status.CORRECT


@pytest.mark.slow
def test_all_idle_workers_killed_at_once_change_no_verdict():
    others = [
        (rf"\frac{{{n}}}{{\sqrt{{2}}}}", rf"\frac{{{n}\sqrt{{2}}}}{{2}}") for n in (1, 3, 5, 7)
    ]
    with GradePool(workers=3, time_limit=PLENTY) as pool:
        list(pool.grade(others))
        pids = pool.pids()
        workers = [psutil.Process(pid) for pid in pids]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        psutil.wait_procs(workers, 300)
        results = [result.status for result, _ in pool.grade([pair[::-1] for pair in others])]
    assert len(pids) > 1
    assert results == [Status.CORRECT] * 4


@pytest.mark.slow
def test_a_slow_answer_in_many_samples_costs_its_time_once():
    with GradePool(workers=1, time_limit=SHORT) as pool:
        results = list(pool.grade([ENDLESS] * 20))
        again = list(pool.grade([ENDLESS, HONEST]))
        spare = pool.pids()
    assert {result.status for result, _ in results} == {Status.CHECKER_ERROR}
    assert [result.status for result, _ in again] == [Status.CHECKER_ERROR, Status.CORRECT]
    assert again[0][1] == 0.0
    assert len(spare) <= 2


@pytest.mark.slow
def test_a_spare_worker_is_there_when_a_job_is_killed(monkeypatch):
    share = checking.LONG
    monkeypatch.setattr(checking, "LONG", NEVER)  # else a busy machine has a spare already
    with GradePool(workers=1, time_limit=SHORT) as pool:
        list(pool.grade([HONEST]))
        first = pool.pids()
        monkeypatch.setattr(checking, "LONG", share)
        list(pool.grade([ENDLESS]))
        monkeypatch.setattr(checking, "LONG", NEVER)
        spare = pool.pids()
        assert len(spare) == 1 and spare != first
        list(pool.grade([HONEST[::-1]]))
        assert pool.pids() == spare


def test_works_from_several_threads_at_once(pool):
    rewards: list[float] = []

    def work():
        rewards.extend(result.reward for result, _ in pool.grade([HONEST, ("1", "1")] * 5))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rewards == [1.0] * 40


@pytest.mark.slow
def test_close_ends_the_workers():
    pool = GradePool(workers=2, time_limit=PLENTY)
    with pool:
        list(pool.grade([HONEST] * 4))
        workers = [psutil.Process(pid) for pid in pool.pids()]
    assert workers and not any(worker.is_running() for worker in workers)
    with pytest.raises(StepError):
        list(pool.grade([HONEST]))


PARENT = """
import sys, threading
from tasks.score.math.pool import GradePool
pool = GradePool(workers=1, time_limit=60.0)
list(pool.grade([{honest!r}]))
print(*pool.pids(), flush=True)
if {busy}:
    list(pool.grade([{endless!r}]))
threading.Event().wait()
"""


@pytest.mark.slow
@pytest.mark.parametrize("busy", [False, True])
def test_a_worker_dies_with_its_parent_even_on_sigkill(busy):
    code = PARENT.format(honest=HONEST, endless=ENDLESS, busy=busy)
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    workers = [psutil.Process(int(word)) for word in parent.stdout.readline().split()]
    assert workers
    if busy:
        worker = workers[0]
        start = sum(worker.cpu_times()[:2])
        while sum(worker.cpu_times()[:2]) < start + 0.2:
            time.sleep(0.02)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    _gone, alive = psutil.wait_procs(workers, 300)
    assert [one for one in alive if one.status() != psutil.STATUS_ZOMBIE] == []


def test_verdicts_follow_the_samples_and_repeats_are_graded_once(pool):
    texts = ["The answer is 4.", "The answer is 5.", "The answer is 4.", HONEST[1]]
    samples = [
        {"problem_id": problem, "index": index, "text": text}
        for problem in ("a", "b")
        for index, text in enumerate(texts)
    ]
    results = list(score_rows(iter(samples), {"a": "4", "b": HONEST[0]}, pool))
    assert [(row["problem_id"], row["index"]) for row, _ in results] == [
        (sample["problem_id"], sample["index"]) for sample in samples
    ]
    assert [row["reward"] for row, _ in results] == [1, 0, 1, 0, 0, 0, 0, 1]
    assert results[2][1] == 0.0 and results[0][1] > 0.0
    with pytest.raises(StepError, match="'c'"):
        list(score_rows([{"problem_id": "c", "index": 0, "text": "4"}], {}, pool))


def test_grade_lines_adds_verdicts_in_order_and_keeps_the_rest(pool):
    lines = [
        '{"gold": "4", "prediction": "so 4", "id": "\\ud800", "note": [1, {"a": null}]}\n',
        json.dumps({"gold": HONEST[0], "prediction": HONEST[1]}).encode(),
        "\n",
        '{"gold": 51.0, "prediction": "#### 51"}',
        '{"gold": "4", "prediction": ""}',
    ]
    out = io.StringIO()
    assert grade_lines(iter(lines), pool, out) == 4
    rows = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [row["correct"] for row in rows] == [True, True, True, False]
    assert [row["status"] for row in rows] == ["correct"] * 3 + ["no_answer"]
    assert rows[0]["note"] == [1, {"a": None}] and rows[0]["extracted"] == "4"
    assert all(row["seconds"] >= 0 for row in rows)


@pytest.mark.parametrize(
    "bad",
    ["{", "[1]", '{"gold": "1"}', '{"gold": null, "prediction": "1"}', b"\xff", "[" * 100_000],
)
def test_a_malformed_line_is_named_after_those_before_it_are_written(pool, bad):
    out = io.StringIO()
    with pytest.raises(UserError, match=r"^line 2: ") as caught:
        grade_lines(iter(['{"gold": "1", "prediction": "1"}', bad]), pool, out)
    assert "\n" not in str(caught.value) and "expected" in str(caught.value)
    assert len(out.getvalue().splitlines()) == 1


def test_decide_leaves_to_symbolic_work_only_what_needs_it():
    assert decide(*HONEST) is None
    assert grade(*HONEST).status is Status.CORRECT
