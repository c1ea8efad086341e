"""Programs in C++: compiled in the sandbox, run with the limits and the isolation of all others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits, Verdict, interactive_job
from sandbox.verdict import Test as Case
from tests.sandbox.images import image_of
from tests.sandbox.test_interactive import INPUTS, JUDGE

pytestmark = pytest.mark.docker
LIMITS = Limits(cpu=1.0, memory=128 * 2**20, file=2**20)
CASES = (Case("20 22\n", "42\n"), Case("1 1\n", "2\n"))
AFTER = Job("print(sum(map(int, input().split())))", CASES)
# What is needed of bits/stdc++.h, which takes some seconds to compile.
HEADERS = ("fstream", "iostream", "vector", "csignal", "unistd.h", "fcntl.h")
HEAD = "".join(f"#include <{name}>\n" for name in HEADERS) + "using namespace std;\n"
READ = "long long a, b; cin >> a >> b; "
ANSWER = "cout << a + b << endl;"


def in_main(body: str) -> str:
    return f"{HEAD}int main() {{ {READ}{body} }}"


HONEST = in_main(ANSWER)
# name: program, its status, tests passed
PROGRAMS = {
    "right": (HONEST, "correct", 2),
    "wrong": (in_main("cout << 42 << endl;"), "wrong_answer", 1),
    "exit code": (in_main(ANSWER + "return 3;"), "runtime_error", 0),
    "an exit code of ours": (in_main(ANSWER + "return 98;"), "runtime_error", 0),
    "abort": (in_main("abort();"), "runtime_error", 0),
    "null": (in_main("volatile int *p = nullptr; *p = 1;"), "runtime_error", 0),
    "exception": (in_main("vector<int> v; v.at(a) = 1;"), "runtime_error", 0),
    "loop": (in_main("for (volatile long i = 0;; i++);"), "time_limit", 0),
    "sleep": (in_main("sleep(60);"), "time_limit", 0),
    "threads": (in_main("if (fork()) for (;;); else for (;;);"), "time_limit", 0),
    "memory": (in_main("vector<long> v(1 << 26, a); cout << v[b];"), "memory_limit", 0),
    "flood": (in_main("for (;;) puts(string(1000, 'x').c_str());"), "output_limit", 0),
    "file": (
        in_main('FILE *f = fopen("x", "w"); for (;;) fputs("0123456789", f);'),
        "output_limit",
        0,
    ),
    "deep recursion": (
        HEAD + "long f(long n) { volatile long x = n; return n ? f(n - 1) + (x > 0) : 0; }"
        f"int main() {{ {READ} f(300000); {ANSWER} }}",
        "correct",
        2,
    ),
    "closed pipe": (in_main(ANSWER + "cout.flush(); close(1);"), "correct", 2),
    "no C++": ("print(1)", "compile_error", 0),
    "no main": ("int f() { return 1; }", "compile_error", 0),
    "no program": ("", "compile_error", 0),
    # What it writes, opens and reads of where it runs.
    "itself": (
        in_main(
            'const char *me = "/proc/self/exe"; '
            "if (open(me, O_RDWR) < 0 && open(me, O_WRONLY) < 0) " + ANSWER
        ),
        "correct",
        2,
    ),
    "descriptors": (
        in_main(
            "int n = 0; for (int i = 3; i < 256; i++) n += fcntl(i, F_GETFD) != -1; a += n;"
        ).removesuffix("}")
        + ANSWER
        + "}",
        "correct",
        2,
    ),
    "what was left": (
        in_main(
            'if (ifstream("main").good() || ifstream("main.cpp").good() || ifstream("mine").good())'
            'return 1; ofstream("mine") << 1; ' + ANSWER
        ),
        "correct",
        2,
    ),
    "network": (
        HEAD + "#include <sys/socket.h>\n"
        f"int main() {{ {READ} if (socket(AF_INET, SOCK_STREAM, 0) < 0 || "
        f'system("getent hosts a.b")) {ANSWER} }}',
        "correct",
        2,
    ),
    "process 1": (
        in_main(
            'a += kill(1, 9) == 0; a += open("/proc/1/mem", O_RDONLY) >= 0; a += setuid(0) == 0;'
        ).removesuffix("}")
        + ANSWER
        + "}",
        "correct",
        2,
    ),
    "a program of its own": (
        in_main(
            'ofstream("x") << "#!/bin/sh\\nexit 0"; system("chmod +x x"); '
            'if (system("./x 2>/dev/null")) ' + ANSWER
        ),
        "correct",
        2,
    ),
    "a daemon": (
        in_main("if (!fork()) { setsid(); if (!fork()) for (;;) pause(); _exit(0); }" + ANSWER),
        "correct",
        2,
    ),
}
# What compiles for ever, takes all memory, or writes without end: name, source, what is said.
BOMBS = {
    "templates": (
        "template<unsigned long n, unsigned long m> struct A { static constexpr unsigned long v = "
        "A<n - 1, m>::v + A<n - 1, m + (1ul << n)>::v; }; template<unsigned long m> struct A<0, m> "
        "{ static constexpr unsigned long v = m; }; int main() { return A<60, 0>::v; }",
        "error",
    ),
    "a large binary": ("char a[1 << 28] = {1}; int main() { return a[0]; }", "error"),
    "zeros": ('#include "/dev/zero"\nint main() {}', "out of memory"),
    "the program's input": ('#include "/dev/stdin"\nint main() {}', ""),
    "a secret": ('#include "/proc/1/environ"\nint main() {}', "error: "),
    "itself": ('#include "main.cpp"\nint main() {}', "error: "),
}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxPool]:
    lock = tmp_path_factory.getbasetemp().parent / "image-cpp.lock"
    with SandboxPool(image_of("cpp", str(lock)), workers=1) as pool:
        yield pool


def judge(pool: SandboxPool, program: str) -> Verdict:
    return pool.submit(Job(program, CASES, limits=LIMITS, language="cpp")).result()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_gets_its_verdict_and_the_next_is_alone(pool: SandboxPool, name: str):
    program, status, passed = PROGRAMS[name]
    found = judge(pool, program)
    assert (found.status.value, found.passed) == (status, passed), found.detail
    assert pool.submit(AFTER).result().status.value == "correct"


@pytest.mark.parametrize("name", BOMBS)
def test_a_compiler_is_limited_like_a_program(pool: SandboxPool, name: str):
    program, said = BOMBS[name]
    found = judge(pool, program)
    assert said in found.detail and found.detail.count("\n") == 0
    assert found.status.value == ("compile_error" if said else "wrong_answer")
    assert pool.submit(AFTER).result().status.value == "correct"


def test_the_first_error_of_the_compiler_is_told(pool: SandboxPool):
    found = judge(pool, 'int main() {\n  int x = "a";\n  return y;\n}\n')
    assert found.detail.startswith("main.cpp:2:11: error: invalid conversion"), found.detail


GUESS = (
    HEAD
    + """int main() { int low = 1, high; string s; cin >> high;
while (low < high) { int middle = (low + high + 1) / 2; cout << "? " << middle << endl; cin >> s;
if (s == "<") high = middle - 1; else low = middle; } cout << "! " << low << endl; }"""
)


def test_a_judge_talks_to_it(pool: SandboxPool):
    right = interactive_job(GUESS, JUDGE, INPUTS, LIMITS, "cpp")
    wrong = interactive_job(GUESS.replace("<< low <<", "<< 37 <<"), JUDGE, INPUTS, LIMITS, "cpp")
    found = [pool.submit(job).result() for job in (right, wrong)]
    assert [(one.status.value, one.passed) for one in found] == [
        ("correct", 3),
        ("wrong_answer", 1),
    ]


def test_no_memory_but_the_compilers_is_needed(pool: SandboxPool):
    program = "#include <bits/stdc++.h>\n" + HONEST
    job = Job(program, CASES, limits=Limits(cpu=1.0, memory=16 * 2**20), language="cpp")
    assert pool.submit(job).result().status.value == "correct"


def test_an_image_without_a_compiler_is_no_verdict(image: str):
    with SandboxPool(image, workers=1) as pool:
        job = Job(HONEST, CASES, limits=LIMITS, language="cpp", stop_at_failure=False)
        found = pool.submit(job).result()
        assert found.status.value == "sandbox_error"
        assert found.detail == "this image has no C++ compiler"
