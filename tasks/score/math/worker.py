"""The checker process: reads pairs from a pipe, decides them symbolically, writes the verdicts.

It ends at end of file on its standard input, which the kernel delivers however the parent ends. A
job that uses more CPU than its limit is ended by the kernel (ITIMER_PROF with the default action),
in the middle of big-integer work too; the pool then starts another process. CPU time, not wall
time, so that a busy machine does not change verdicts. Memory is limited by RLIMIT_AS; a worker
that has grown says so and is replaced, so that no answer finds less memory than another did.
"""

from __future__ import annotations

import json
import os
import queue
import resource
import signal
import sys
import threading

# sympy with its caches uses about 150 MB of address space; no honest pair needs a quarter of this.
MEMORY_BYTES = 1 << 30
# A worker over this much resident memory takes no more jobs. A fresh one has 110 MB.
WORN_BYTES = 400 << 20
RECURSION = 3000


def main() -> None:
    """Serve until the parent is gone."""
    # Replies go to a private copy of standard output, so that no library can write into them.
    replies = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    limit = float(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    sys.setrecursionlimit(RECURSION)
    import psutil

    from tasks.score.math.compare.symbolic import same
    from tasks.score.math.decide import settle

    process = psutil.Process()
    requests: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(requests,), daemon=True).start()
    _reply(replies, {"ready": True})
    while True:
        reference, answer = json.loads(requests.get())
        signal.setitimer(signal.ITIMER_PROF, limit)
        grade = settle(reference, answer, same)
        signal.setitimer(signal.ITIMER_PROF, 0)
        worn = process.memory_info().rss > WORN_BYTES
        verdict = [grade.reward, grade.status.value, grade.extracted]
        _reply(replies, {"grade": verdict, "worn": worn})


def _listen(requests: queue.SimpleQueue[str]) -> None:
    """Take requests off the pipe; at its end the process ends, in the middle of a job too."""
    for line in sys.stdin:
        requests.put(line)
    os._exit(0)


def _reply(replies, message: dict[str, object]) -> None:
    replies.write(json.dumps(message) + "\n")
    replies.flush()


if __name__ == "__main__":
    main()
