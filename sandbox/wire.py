"""What goes to the runner in a container and comes back, as bytes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace

from sandbox.cpp import cpp_errors, cpp_status
from sandbox.inside.frames import (
    COMPILE_ERROR,
    ENDED,
    FAILED,
    HEAD,
    IN_PLACE,
    MEMORY_LIMIT,
    NO_CHECK,
    NO_MEMORY,
    OFFSET,
    OUTPUT_LIMIT,
    PASSED,
    TIME_LIMIT,
    WRONG,
    Answer,
)
from sandbox.inside.limits import INPUTS_BYTES
from sandbox.verdict import Job, Report, Test

REASONS = {
    TIME_LIMIT: "time_limit",
    OUTPUT_LIMIT: "output_limit",
    COMPILE_ERROR: "compile_error",
    MEMORY_LIMIT: "memory_limit",
    PASSED: "ok",
    WRONG: "wrong_answer",
    FAILED: "runtime_error",
    NO_CHECK: "sandbox_error",
}


def parts_of(job: Job) -> Iterator[Job]:
    """The job in parts, each with as many tests as a container holds the inputs of at once."""
    tests: list[Test] = []
    size = 0
    for test in job.tests:
        more = len(_given(test, job))
        if tests and size + more > INPUTS_BYTES:
            yield replace(job, tests=tuple(tests))
            tests, size = [], 0
        tests.append(test)
        size += more
    yield job if len(tests) == len(job.tests) else replace(job, tests=tuple(tests))


def _given(test: Test, job: Job) -> str:
    """What the program is given, as text."""
    return test.stdin if job.entry is None else json.dumps(test.args)


def _bytes(text: str) -> bytes:
    """An input; of bytes that were no text, as Python reads them, these."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def pack_job(job: Job, number: int) -> bytes:
    """A job as the runner reads it; the expected outputs are left out."""
    call = job.entry is not None
    parts = [text.encode("utf-8", "surrogatepass") for text in (job.program, entry_of(job))]
    for test in job.tests:
        parts.append(_bytes(_given(test, job)))
    offset = OFFSET.size * (len(parts) + 1)
    offsets = [offset]
    for part in parts:
        offset += len(part)
        offsets.append(offset)
    limits = job.limits
    # The check is apart, so that it never is in a memory that the program gets.
    check = job.check if job.judge is None else job.judge
    head = HEAD.pack(
        *(number, len(job.tests), offset, call, check is not None, job.wrap),
        job.language == "cpp",
        *(limits.cpu, limits.memory, limits.output, limits.file, limits.processes),
    )
    apart = [] if check is None else [check.encode("utf-8", "surrogatepass")]
    after = [data for one in apart for data in (OFFSET.pack(len(one)), one)]
    return b"".join((head, *map(OFFSET.pack, offsets), *parts, *after))


def entry_of(job: Job) -> str:
    """What is called, and after a mark which argument is the result, if one is."""
    return (job.entry or "") + ("" if job.in_place is None else f"{IN_PLACE}{job.in_place}")


def pack_stop(number: int) -> bytes:
    """Ends a job."""
    return HEAD.pack(number, 0, 0, False, False, False, False, 0.0, 0, 0, 0, 0)


def test_report(answer: Answer, output: bytes, errors: bytes, job: Job) -> Report:
    """What became of a test, in words."""
    status = answer.status
    found = REASONS.get(answer.reason) or _classify(status, errors, answer.cpu, job.limits.cpu)
    if job.language == "cpp":
        found, errors = cpp_status(found, status, errors), cpp_errors(found, errors)
    if job.check is not None and answer.reason == ENDED and found == "ok":
        found = "wrong_answer"  # a program that ended before its check did
    if answer.reason == PASSED:
        output = b"true"
    return {
        "status": found,
        "output": output.decode("utf-8", "replace"),
        "stderr": errors.decode("utf-8", "replace"),
        "cpu": round(answer.cpu, 4),
    }


def _classify(status: int, errors: bytes, cpu: float, limit: float) -> str:
    """What the end of a program that overran nothing means."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        # The kernel's own SIGXCPU comes long after the limit.
        if cpu > limit:
            return "time_limit"
        return "output_limit" if number == signal.SIGXFSZ else "runtime_error"
    if os.WEXITSTATUS(status) == 0:
        return "ok"
    return "memory_limit" if os.WEXITSTATUS(status) == NO_MEMORY else "runtime_error"
