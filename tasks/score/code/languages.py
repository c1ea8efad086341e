"""Problems that are not a Python program's alone: programs in C++, and interactive ones.

A reference has `language` ("python" or "cpp") where the problem itself says so. An interactive one
is {"judge", "inputs"}: a trusted Python program that talks to the solution, and what it is told,
one text a test (sandbox/inside/judging.py).
"""

from __future__ import annotations

from sandbox.images import Language
from sandbox.verdict import Job, interactive_job
from tasks.errors import UserError
from tasks.facts import is_list
from tasks.rows import Json
from tasks.score.code.conditions import CHECKER, Conditions
from tasks.score.code.tests import read_tests

LANGUAGES: tuple[Language, ...] = ("python", "cpp")


def language_of(tests: Json, otherwise: Language = "python") -> Language:
    """What the programs of a problem are written in.

    Raises:
        UserError: the problem names a language that there is not.
    """
    named = tests.get("language", otherwise)
    for language in LANGUAGES:
        if language == named:
            return language
    raise UserError(f'"language": expected python or cpp, not {named!r}')


def job_by_language(tests: Json, program: str, asked: Conditions, all_tests: bool) -> Job | None:
    """The job of a C++ program or of an interactive problem; None for all others.

    Args:
        tests: The reference.
        program: The solution.
        asked: With what the problem says itself.
        all_tests: Whether the tests after the first failure run too.

    Raises:
        UserError: a C++ program is to be called as a function, or the reference is malformed.
    """
    language, limits = language_of(tests, asked.language), asked.limits
    if "judge" in tests:
        source, inputs = read_judge(tests)
        return interactive_job(
            program, source, inputs, limits, language, stop_at_failure=not all_tests
        )
    if language == "python":
        return None
    if "entry_point" in tests:
        raise UserError(
            "a function cannot be called in C++; expected problems that read input and print "
            "output for language = cpp"
        )
    _, cases = read_tests(tests["tests"])
    return Job(
        *(program, cases, None, limits),
        stop_at_failure=not all_tests,
        checker=tests.get(CHECKER),
        rule=asked.rule,
        language=language,
    )


def read_judge(tests: Json) -> tuple[str, list[str]]:
    """The judge of an interactive problem, and its inputs.

    Raises:
        UserError: they are of another form.
    """
    source, inputs = tests.get("judge"), tests.get("inputs")
    if not isinstance(source, str) or not source.strip():
        raise UserError('"judge": expected the source of a Python program')
    if not is_list(inputs) or not inputs:
        raise UserError('"inputs": expected a list of texts for the judge, at least one')
    texts = [one for one in inputs if isinstance(one, str)]
    if len(texts) < len(inputs):
        raise UserError('"inputs": expected texts, what the judge is told in each test')
    return source, texts


def with_signature(program: str, tests: Json) -> str:
    """The program, and after it what the problem says of its function's types.

    That is a `signature`, or the site's starter code: `def f(self, head: ListNode) -> ListNode:`.
    """
    said = tests.get("signature")
    if not isinstance(said, str) or not said.strip():
        return program
    return f"{program.rstrip()}\n__signature__ = {said!r}\n"
