"""The image `contest`: what contest programs import, a newer Python, C++; and all attacks on it."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from sandbox.check import run_attacks
from sandbox.images import IMAGES, build_command
from sandbox.pool import NoEngine, SandboxPool
from sandbox.verdict import Job, Limits
from sandbox.verdict import Test as Case
from tasks.paths import ROOT
from tests.sandbox.images import image_of

LIMITS = Limits(cpu=4.0, memory=512 * 2**20)
# name: a program that reads 10 and prints 45
PROGRAMS = {
    "numpy": "import numpy as np\nprint(np.arange(int(input())).sum())",
    "scipy": (
        "from scipy.special import comb\nfrom scipy.sparse.csgraph import dijkstra\n"
        "from scipy.optimize import linear_sum_assignment\nprint(int(comb(int(input()), 2)))"
    ),
    "sympy": "import sympy\nn = int(input())\nprint(sympy.binomial(n, 2))",
    "sortedcontainers": (
        "from sortedcontainers import SortedList\nprint(sum(SortedList(range(int(input())))))"
    ),
    "syntax of 3.12": (
        "type Number = int\ndef f[T](x: T) -> T: return x\nn = int(input())\n"
        "print(f(f'{f'{n * (n - 1) // 2}'}'))"
    ),
    "batched": "from itertools import batched\nprint(sum(a + b for a, b in batched(range(10), 2)))",
}


@pytest.fixture(scope="module")
def contest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPool]:
    lock = tmp_path_factory.getbasetemp().parent / "image-contest.lock"
    tag = image_of("contest", str(lock))
    with SandboxPool(tag, workers=1, memory=LIMITS.memory) as pool:
        yield pool


@pytest.mark.docker
@pytest.mark.parametrize("name", PROGRAMS)
def test_what_contest_programs_use_is_there(contest: SandboxPool, name: str):
    job = Job(PROGRAMS[name], (Case("10\n", "45"),), limits=LIMITS)
    found = contest.submit(job).result()
    assert found.status.value == "correct", found.detail


@pytest.mark.docker
def test_the_versions_are_those_of_the_lock(contest: SandboxPool):
    lock = (ROOT / "locks" / "contest.txt").read_text()
    pins = dict(re.findall(r"^([\w-]+)==(\S+)", lock, re.MULTILINE))
    program = "from importlib.metadata import version\nprint(version(input()))"
    for name, pinned in pins.items():
        job = Job(program, (Case(name, pinned),), limits=LIMITS)
        assert contest.submit(job).result().status.value == "correct", name


@pytest.mark.docker
def test_it_compiles_too(contest: SandboxPool):
    program = "#include <iostream>\nint main() { std::cout << 45; }"
    job = Job(program, (Case("10\n", "45"),), limits=LIMITS, language="cpp")
    assert contest.submit(job).result().status.value == "correct"


@pytest.mark.docker
def test_no_attack_gets_through(contest: SandboxPool):
    assert [one for one in run_attacks(contest) if not one.held] == []


@pytest.mark.docker
def test_an_image_that_is_absent_is_one_line_that_says_what_to_do():
    with pytest.raises(NoEngine, match="image restem-nosuch:1 is missing; run `restem sandbox"):
        SandboxPool("restem-nosuch:1")
    assert build_command(IMAGES["contest"].tag) == "restem sandbox build --image contest"
