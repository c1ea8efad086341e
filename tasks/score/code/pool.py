"""From a problem's reference and a program to a job for the sandbox.

References are JSON: {"tests": [{"input", "output"}]}, {"entry_point", "cases": [{"args",
"expected"}]}, or {"entry_point", "check"}, where the source of `check(candidate)` asserts. With a
`head` the completion goes on from the head of that function (tasks/problems). {"judge", "inputs"}
is an interactive problem: languages.py. `signature` is what a function takes, where programs need
not say it. Beside the tests a reference may have a checker and what conditions.py lists.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import replace

from sandbox.images import Language
from sandbox.pool import NoEngine, SandboxPool
from sandbox.verdict import Job, Limits, Verdict, checked_job
from tasks.dag.contracts import Grade, Timed
from tasks.errors import StepError
from tasks.metering import SANDBOX, spend
from tasks.rows import Status
from tasks.score.code.conditions import CHECKER, Conditions
from tasks.score.code.languages import job_by_language, language_of, with_signature
from tasks.score.code.program import complete_function, extract_program
from tasks.score.code.tests import read_in_place, read_tests

# Programs handed to the sandbox ahead of the verdict that is awaited; bounds memory.
_WINDOW = 64

# Who writes a function for a site that calls it counts on these; the authors of APPS put them
# before every program too. They stand behind the builtins, so that none hides one of these (pow of
# math) or a name of the program's own, and none is taken for a function that the program defines.
# One line, so that the line numbers of messages are off by little.
PRELUDE = (
    "import bisect, collections, copy, functools, heapq, itertools, math, operator, random, re, "
    "string, sys; from collections import *; from functools import *; from heapq import *; "
    "from itertools import *; from math import *; from typing import *; "
    "[vars(__import__('builtins')).setdefault(name, globals().pop(name)) "
    "for name in [*globals()] if name[:2] != '__']\n"
)
# They count on numpy too, which takes a while to import.
_NUMPY = re.compile(r"\bnp\.")
_NUMPY_LINE = "import builtins, numpy; builtins.np = numpy; del builtins, numpy\n"
# APPS was written for Python 3.7 or older: names that were moved or removed since, as they were.
# Its own imports are undone, so that a program which forgot one still fails.
OLD_NAMES = (
    "import collections.abc, fractions, math, time; "
    "vars(collections).update((name, getattr(collections.abc, name)) "
    "for name in collections.abc.__all__); time.clock = time.process_time; "
    "fractions.gcd = lambda a, b, gcd=math.gcd: -gcd(a, b) if (b or a) < 0 else gcd(a, b); "
    "del collections, fractions, math, time\n"
)
# Names of old modules that few programs use, each put back where one does.
RARE_NAMES = {
    "isAlive": (
        "import threading; threading.Thread.isAlive = threading.Thread.is_alive; del threading\n"
    ),
    "getargspec": (
        "import collections, inspect; inspect.getargspec = lambda f, "
        "spec=collections.namedtuple('ArgSpec', 'args varargs keywords defaults'): "
        "spec(*inspect.getfullargspec(f)[:4]); del collections, inspect\n"
    ),
    "factorial": (
        "import math; math.factorial = lambda n, f=math.factorial: "
        "f(int(n) if n == int(n) else n); del math\n"
    ),
    # Flags in the middle of an expression held for all of it.
    "(?": (
        "import re; re._compile = lambda p, f, c=re._compile, flags="
        "re.compile(r'(?<!\\\\)\\(\\?[aiLmsux]+\\)'): c(p, f) if not isinstance(p, str) or "
        "not flags.search(p, 1) else "
        "c(''.join(flags.findall(p)) + flags.sub('', p), f); del re\n"
    ),
    "sample(": (
        "import random; random.sample = random._inst.sample = lambda p, k, s=random.sample, **n: "
        "s(tuple(p) if isinstance(p, (set, frozenset)) else p, k, **n); del random\n"
    ),
}
# Names of the numpy of that time.
_OLD_NUMPY = re.compile(r"\b(?:np|numpy)\.(?:int|float|bool|object|complex|str)\b")
_OLD_NUMPY_LINE = (
    "import numpy; [setattr(numpy, one.__name__, one) for one in (int, float, bool, object, "
    "complex, str) if one.__name__ not in vars(numpy)]; del numpy\n"
)
# What must stand before everything else in a program.
_FUTURE = re.compile(
    r"^from __future__ import (?:\([^)]*\)|[^\n(]*)[ \t]*(?:#[^\n]*)?(?:\n|\Z)", re.MULTILINE
)


def code_job(
    reference: str,
    program: str,
    limits: Limits,
    *,
    all_tests: bool = False,
    asked: Conditions | None = None,
) -> Job:
    """The job that tests a program.

    Args:
        limits: For each test, where the problem has none of its own.
        all_tests: Whether the tests after the first failure run too.
        asked: The language, and how outputs are compared, where the problem does not say it; None:
            as usual.
    """
    tests = json.loads(reference)
    asked = replace(asked or Conditions(limits), limits=limits).of_problem(tests)
    limits = asked.limits
    if other := job_by_language(tests, program, asked, all_tests):
        return other
    if "check" in tests:
        # Some checks call helpers of the head. No prelude: what a program must import itself is
        # part of the task, so that figures compare with published ones.
        check = tests["check"]
        if "head" in tests:
            head = complete_function(tests["head"], "    pass", tests["entry_point"])
            check = f"{head}\n{check}"
        return checked_job(program, tests["entry_point"], check, limits)
    entry, cases = read_tests(tests if "entry_point" in tests else tests["tests"])
    rare = "".join(line for name, line in RARE_NAMES.items() if name in program)
    if _OLD_NUMPY.search(program):
        rare += _OLD_NUMPY_LINE
    before = OLD_NAMES + rare + (PRELUDE if entry else "")
    if entry and _NUMPY.search(program) and "numpy" not in program:
        before += _NUMPY_LINE
    return Job(
        *(_precede(before, with_signature(program, tests)), cases, entry, limits),
        stop_at_failure=not all_tests,
        wrap=True,
        checker=tests.get(CHECKER),
        rule=asked.rule,
        in_place=read_in_place(tests),
    )


def _precede(before: str, program: str) -> str:
    place = max((match.end() for match in _FUTURE.finditer(program)), default=0)
    ended = "\n" if place and program[place - 1] != "\n" else ""
    return program[:place] + ended + before + program[place:]


def find_program(reference: str, text: str, language: Language = "python") -> str:
    """The program that a completion makes, or "" where there is none."""
    tests = json.loads(reference)
    language = language_of(tests, language)
    if "head" in tests:
        return complete_function(tests["head"], text, tests["entry_point"])
    return extract_program(text, language=language)


class CodePool:
    """Grades completions by running the programs in them; what GradePool is for math."""

    def __init__(
        self,
        sandbox: SandboxPool,
        limits: Limits,
        score: str = "correct",
        asked: Conditions | None = None,
    ) -> None:
        """Grade in a sandbox that the caller closes.

        Args:
            limits: For each test, where a problem has none of its own.
            score: The reward, as in FilterSettings. `tests`, the share of tests passed, costs more
                time for a wrong program, because no test is left out; a reference with a `check`
                is one test.
            asked: The language, and how outputs are compared; None: as usual.
        """
        self._sandbox, self._limits, self._share = sandbox, limits, score == "tests"
        self._asked = asked
        self.image = sandbox.image
        self._language: Language = asked.language if asked else "python"

    def grade(self, pairs: Iterable[tuple[str, str]]) -> Iterator[Timed]:
        """Yield each pair's grade and the seconds it took, in order.

        Args:
            pairs: References and completions.
        """
        waiting: deque[tuple[str, Future[Verdict] | None]] = deque()
        for reference, text in pairs:
            program = find_program(reference, text, self._language)
            job = None
            if program.strip():
                job = code_job(
                    *(reference, program, self._limits), all_tests=self._share, asked=self._asked
                )
            waiting.append((program, self._sandbox.submit(job) if job else None))
            while waiting and (len(waiting) >= _WINDOW or _ready(waiting[0][1])):
                yield _grade(*waiting.popleft(), self._share)
        while waiting:
            yield _grade(*waiting.popleft(), self._share)


def _ready(future: Future[Verdict] | None) -> bool:
    return future is None or future.done()


def _grade(program: str, future: Future[Verdict] | None, share: bool) -> Timed:
    if future is None:
        return Grade(0.0, Status.NO_ANSWER, ""), 0.0
    try:
        verdict = future.result()
    except NoEngine as error:
        raise StepError(f"{error}; the same command goes on when it does") from None
    spend(SANDBOX, verdict.busy)
    status = Status(verdict.status.value)
    reward = 1.0 if status is Status.CORRECT else 0.0
    if share and status not in (Status.CORRECT, Status.SANDBOX_ERROR, Status.CHECKER_ERROR):
        reward = verdict.passed / verdict.total
    failed = -1 if verdict.first_failure is None else verdict.first_failure
    return Grade(reward, status, program, failed), verdict.seconds
