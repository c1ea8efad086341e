"""The checker process: reads pairs from a pipe, decides them symbolically, writes the verdicts.

It ends at end of file on its standard input, which the kernel delivers however the parent ends. A
job that uses more CPU than its limit is ended by the kernel (ITIMER_PROF with the default action),
in the middle of big-integer work too; the pool then starts another process. CPU time, not wall
time, so that a busy machine does not change verdicts. Memory is limited by RLIMIT_AS; a worker
that has grown says so and is replaced, so that no answer finds less memory than another did.
"""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Callable

from tasks.processes.killable import Question, serve
from tasks.score.math.limits import MEMORY_BYTES, RECURSION, WORN_BYTES

# Read by the LaTeX library, and compared by simplification.
WARM = (r"\int_0^1 \sin(2x)\,dx", r"\int_0^1 2\sin(x)\cos(x)\,dx")


def main() -> None:
    """Serve until the parent is gone."""
    serve(_prepare)


def _prepare() -> Callable[[Question], dict[str, object]]:
    limit, work_out = float(sys.argv[1]), sys.argv[2:] == ["work_out"]
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    sys.setrecursionlimit(RECURSION)
    import psutil

    from tasks.score.math.blocks import SECONDS_OF_A_PAIR, outcomes_json
    from tasks.score.math.compare.symbolic import same
    from tasks.score.math.decide import settle

    # The first use of the LaTeX reader and of simplification takes a while: not a pair's time.
    same(*WARM)
    process = psutil.Process()

    def answer(question: Question) -> dict[str, object]:
        if isinstance(question, dict):
            pairs = question["pairs"]
            signal.setitimer(signal.ITIMER_PROF, limit + SECONDS_OF_A_PAIR * len(pairs))
            reply: dict[str, object] = {"outcomes": outcomes_json(pairs, work_out=work_out)}
        else:
            signal.setitimer(signal.ITIMER_PROF, limit)
            grade = settle(question[0], question[1], same, work_out=work_out)
            reply = {"grade": [grade.reward, grade.status.value, grade.extracted]}
        signal.setitimer(signal.ITIMER_PROF, 0)
        reply["worn"] = process.memory_info().rss > WORN_BYTES
        return reply

    return answer


if __name__ == "__main__":
    main()
