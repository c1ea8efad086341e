"""What crosses into and out of the container, without one: bytes, and what their meaning is."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable

import pytest

from sandbox import wire
from sandbox.inside import frames, moving
from sandbox.inside.frames import ANSWER, HEAD, PARTS_BEFORE_TESTS, Answer, Head
from sandbox.inside.limits import INPUTS_BYTES
from sandbox.verdict import Job, Limits, checked_job, interactive_job
from sandbox.verdict import Test as Case

SECRET = "7340952816"
LIMITS = Limits(cpu=1.5)


def parts_of(job: Job) -> tuple[Head, list[bytes]]:
    """Read a job as the runner does."""
    data = wire.pack_job(job, 7)
    head = Head(*HEAD.unpack_from(data))
    body = data[HEAD.size :]
    assert len(body) == head.size
    fd = os.memfd_create("job")
    os.write(fd, body)
    parts = [frames.part_of(fd, number) for number in range(PARTS_BEFORE_TESTS + head.tests)]
    os.close(fd)
    return head, parts


def test_a_job_crosses_whole_and_without_what_is_expected():
    tests = (Case("eins\n", SECRET), Case("", SECRET), Case("ä\udcff", SECRET))
    head, parts = parts_of(Job("print('ö')\ud800", tests, limits=LIMITS, wrap=True))
    assert head == Head(
        *(7, 3, head.size, False, False, True, False),
        *(1.5, LIMITS.memory, LIMITS.output, LIMITS.file, LIMITS.processes),
    )
    assert parts[0].decode("utf-8", "surrogatepass") == "print('ö')\ud800"
    assert parts[1:] == [b"", b"eins\n", b"", "ä".encode() + b"\xff"]
    assert SECRET.encode() not in wire.pack_job(Job("", tests), 1)


def test_a_judge_crosses_behind_the_job():
    judge = f"print({SECRET})"
    data = wire.pack_job(interactive_job("int main() {}", judge, ("1", "2"), LIMITS, "cpp"), 7)
    head = Head(*HEAD.unpack_from(data))
    assert head.interactive and head.compiled and not head.call
    assert SECRET.encode() not in data[: HEAD.size + head.size]
    assert data[HEAD.size + head.size :] == frames.OFFSET.pack(len(judge)) + judge.encode()


@pytest.mark.parametrize(
    ("status", "errors", "found"),
    [
        (0, b"std::bad_alloc", "ok"),
        (signal.SIGABRT, b"terminate called ... 'std::bad_alloc'", "memory_limit"),
        (signal.SIGABRT, b"terminate called ... 'std::out_of_range'", "runtime_error"),
        (signal.SIGSEGV, b"", "runtime_error"),
        (signal.SIGKILL, b"", "runtime_error"),
        (frames.NO_MEMORY << 8, b"", "runtime_error"),
        (1 << 8, b"std::bad_alloc", "runtime_error"),
    ],
)
def test_how_a_program_in_cpp_ended(status: int, errors: bytes, found: str):
    answer = Answer(1, 0, frames.ENDED, int(status), 0.1, 0.1, 0, len(errors))
    job = Job("", (Case(),), limits=LIMITS, language="cpp")
    assert wire.test_report(answer, b"", errors, job)["status"] == found


def test_inputs_are_sent_as_a_container_can_hold_them():
    large = "x" * (INPUTS_BYTES // 2)
    tests = (*(Case(large),) * 5, *(Case("1"),) * 3, Case(large * 3))
    parts = list(wire.parts_of(Job("", tests)))
    assert tuple(test for part in parts for test in part.tests) == tests
    assert [len(part.tests) for part in parts] == [2, 2, 4, 1]
    whole = Job("", tests[5:8])
    assert list(wire.parts_of(whole)) == [whole]


def test_a_call_crosses_with_its_arguments_alone():
    head, parts = parts_of(Job("def f(): 0", (Case(args=(1, "x"), value=SECRET),), entry="f"))
    assert head.call
    assert parts == [b"def f(): 0", b"f", b'[1, "x"]']
    assert SECRET.encode() not in b"".join(parts)


@pytest.mark.parametrize(
    ("reason", "status", "cpu", "errors", "found"),
    [
        (frames.ENDED, 0, 0.1, b"", "ok"),
        (frames.ENDED, 0, 0.1, b"MemoryError", "ok"),
        (frames.ENDED, 1 << 8, 0.1, b"Traceback\nMemoryError\n", "runtime_error"),
        (frames.ENDED, 1 << 8, 0.1, b"MemoryError\nValueError: 3\n", "runtime_error"),
        (frames.ENDED, frames.NO_COMPILE << 8, 0.1, b"", "runtime_error"),
        (frames.ENDED, frames.NO_MEMORY << 8, 0.1, b"", "memory_limit"),
        (frames.ENDED, signal.SIGKILL, 0.1, b"", "runtime_error"),
        (frames.MEMORY_LIMIT, signal.SIGKILL, 0.1, b"", "memory_limit"),
        (frames.ENDED, signal.SIGXCPU, 0.9, b"", "runtime_error"),
        (frames.ENDED, signal.SIGXCPU, 1.9, b"", "time_limit"),
        (frames.ENDED, signal.SIGKILL, 1.1, b"", "time_limit"),
        (frames.ENDED, signal.SIGXFSZ, 0.1, b"", "output_limit"),
        (frames.ENDED, signal.SIGSEGV, 0.1, b"", "runtime_error"),
        (frames.TIME_LIMIT, signal.SIGKILL, 0.1, b"", "time_limit"),
        (frames.OUTPUT_LIMIT, 0, 0.1, b"", "output_limit"),
        (frames.COMPILE_ERROR, frames.NO_COMPILE << 8, 0.1, b"", "compile_error"),
    ],
)
def test_the_end_of_a_program_has_a_meaning(
    reason: int, status: int, cpu: float, errors: bytes, found: str
):
    answer = Answer(*ANSWER.unpack(ANSWER.pack(1, 0, reason, status, cpu, cpu, 0, len(errors))))
    job = Job("", (Case(),), limits=Limits(cpu=1.0))
    assert wire.test_report(answer, b"", errors, job)["status"] == found


def test_a_check_crosses_after_its_job_and_decides_alone():
    job = checked_job("def f(): 0", "f", f"def check(f): assert f() == {SECRET}", LIMITS)
    data = wire.pack_job(job, 1)
    head = Head(*HEAD.unpack_from(data))
    body, after = data[HEAD.size :][: head.size], data[HEAD.size + head.size :]
    assert head.checked and head.call and SECRET.encode() not in body
    assert job.check and after[8:] == job.check.encode()
    assert int.from_bytes(after[:8], "big") == len(after) - 8
    ways = {frames.PASSED: "ok", frames.WRONG: "wrong_answer", frames.FAILED: "runtime_error"}
    # A program that ended well before its check said anything has not passed.
    for reason, found in {
        **ways,
        frames.NO_CHECK: "sandbox_error",
        frames.ENDED: "wrong_answer",
    }.items():
        said = wire.test_report(Answer(1, 0, reason, 0, 0.1, 0.1, 0, 0), b"", b"", job)
        assert said["status"] == found
        assert (said["output"] == "true") == (reason == frames.PASSED)


def sockets() -> tuple[int, int]:
    a, b = socket.socketpair()
    return a.detach(), b.detach()


@pytest.mark.parametrize("make", [os.pipe, sockets], ids=["spliced", "copied"])
def test_bytes_move_past_our_memory_or_in_another_process(make: Callable[[], tuple[int, int]]):
    """Between a socket, which some engines give a container, and a file nothing can be spliced."""
    source, feed = make()
    text = os.urandom(50_000)
    os.write(feed, text + b"next")
    target = os.memfd_create("target")
    moving.move(source, target, len(text))
    assert os.pread(target, 1 << 20, 0) == text
    assert os.read(source, 100) == b"next"
    for fd in (source, feed, target):
        os.close(fd)


@pytest.mark.parametrize("early", [False, True], ids=["at the end", "while it runs"])
def test_a_stream_keeps_what_may_be_sent(early: bool, monkeypatch: pytest.MonkeyPatch):
    read, write = os.pipe()
    nothing = os.open(os.devnull, os.O_WRONLY)
    monkeypatch.setattr(moving, "NULL", nothing)
    stream = moving.Stream(read)
    for part in (b"a" * 100, b"b" * 100, b"c" * 100):
        os.write(write, part)
        if early:
            assert stream.drain(150)
    os.close(write)
    assert not early or not stream.drain(150)
    assert stream.total() == 300
    assert stream.kept() == (200 if early else 300)
    stream.close()
    os.close(nothing)
