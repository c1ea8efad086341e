"""Runs one command in a session of its own and takes all of it down when the parent goes.

`python guard.py LIFELINE_FD COMMAND...`: the parent holds the other end of the lifeline pipe. The
kernel closes it however the parent ends, SIGKILL included; the guard then kills all that descends
from it, in whatever session: it is their "subreaper", so orphans become its own children. It
imports the standard library alone, so it starts in milliseconds.

Why not the parent-death signal alone: Linux sends it when the *thread* that started the child
ends, and it does not reach grandchildren (vLLM's workers). The command gets it all the same, from
this single-threaded guard, in case the guard itself is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def die_with_parent() -> None:
    """In the child, before exec: SIGKILL when the process that started it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    """Run the command; end with its exit code, or kill everything when the lifeline closes."""
    lifeline = int(sys.argv[1])
    pass_fds = [int(a) for a in sys.argv[2].split(",") if a]
    # Daemonised grandchildren become the guard's own children, so they die below as well.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)
    child = subprocess.Popen(sys.argv[3:], pass_fds=pass_fds, preexec_fn=die_with_parent)
    for fd in pass_fds:
        os.close(fd)
    exited = os.pidfd_open(child.pid)
    ready, _, _ = select.select([lifeline, exited], [], [])
    code = child.wait() if exited in ready else -signal.SIGKILL
    _kill_descendants()
    if code < 0:  # tell the parent how the command ended
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    sys.exit(code)


def _kill_descendants() -> None:
    """Kill children until there are none; each death hands its own children to the guard."""
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{entry}/stat") as file:
                # The name in brackets may hold anything; the parent is the second field after it.
                if int(file.read().rpartition(")")[2].split()[1]) == os.getpid():
                    found.append(int(entry))
    return found


if __name__ == "__main__":
    main()
