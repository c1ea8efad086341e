"""The baseline of `restem bench grade`: math-verify in worker processes that can be killed.

Each worker takes one pair at a time and runs `verify(parse(gold), parse(prediction))` with the
library's own time limits, which work there because it is the worker's main thread. A worker that
gives no reply in KILL_SECONDS, because the library's alarm cannot stop it, is killed and replaced:
that pair has no verdict. Run as a module this file is the worker.
"""

from __future__ import annotations

import json
import queue
import select
import subprocess
import sys
import threading

from tasks.paths import ROOT

# math-verify's default limit for each of its three calls, and a margin.
LIMIT = 5
KILL_SECONDS = 3 * LIMIT + 5.0

Pair = tuple[str, str]


class MathVerify:
    """Worker processes of math-verify; a context manager that ends them."""

    def __init__(self, workers: int) -> None:
        """Start `workers` processes and wait until each has imported the library."""
        self.killed = 0
        self._lock = threading.Lock()
        self._workers = [_start() for _ in range(workers)]
        self.grade([("1", "1")] * workers)

    def grade(self, pairs: list[Pair]) -> list[bool | None]:
        """Whether each prediction is right, in order; None where the worker had to be killed."""
        found: list[bool | None] = [None] * len(pairs)
        left: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(len(pairs)):
            left.put(number)
        threads = [
            threading.Thread(target=self._serve, args=(slot, pairs, left, found))
            for slot in range(len(self._workers))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    def pids(self) -> list[int]:
        """Process ids of the workers."""
        return [worker.pid for worker in self._workers]

    def __enter__(self) -> MathVerify:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self._workers:
            _end(worker)

    def _serve(
        self,
        slot: int,
        pairs: list[Pair],
        left: queue.SimpleQueue[int],
        found: list[bool | None],
    ) -> None:
        while True:
            try:
                number = left.get_nowait()
            except queue.Empty:
                return
            found[number] = _ask(self._workers[slot], pairs[number])
            if found[number] is None:
                _end(self._workers[slot])
                self._workers[slot] = _start()
                with self._lock:
                    self.killed += 1


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.scoring._math_verify"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
    )


def _ask(worker: subprocess.Popen[bytes], pair: Pair) -> bool | None:
    assert worker.stdin and worker.stdout
    worker.stdin.write(json.dumps(pair).encode() + b"\n")
    worker.stdin.flush()
    poll = select.poll()
    poll.register(worker.stdout.fileno(), select.POLLIN)
    line = worker.stdout.readline() if poll.poll(KILL_SECONDS * 1000) else b""
    return json.loads(line) if line else None


def _end(worker: subprocess.Popen[bytes]) -> None:
    assert worker.stdin and worker.stdout
    worker.kill()
    worker.wait()
    worker.stdin.close()
    worker.stdout.close()


def main() -> None:
    """Serve pairs from standard input until it ends."""
    from math_verify import parse, verify

    for line in sys.stdin:
        gold, prediction = json.loads(line)
        # The library looks for formulas between marks; a bare reference has none.
        wanted = parse(f"${gold}$", parsing_timeout=LIMIT)
        given = parse(prediction, parsing_timeout=LIMIT)
        print(json.dumps(bool(verify(wanted, given, timeout_seconds=LIMIT))), flush=True)


if __name__ == "__main__":
    main()
