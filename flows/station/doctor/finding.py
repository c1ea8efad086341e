"""What `restem doctor` finds, and how its checks run: side by side, each for a bounded time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

# missing: something that a plain run does without; fails: a plain run would fail.
State = Literal["ok", "missing", "warning", "fails"]


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes:
        name: What was looked at.
        value: What is there.
        todo: What to do; empty where there is nothing.
    """

    name: str
    state: State
    value: str
    todo: str = ""


@dataclass(frozen=True)
class Check:
    """A look at one thing.

    Attributes:
        name: Of its finding, where it does not end.
        look: Gives its findings; from a thread of its own.
        seconds: How long it may take.
        needed: Whether a plain run needs what it looks at.
    """

    name: str
    look: Callable[[], list[Finding]]
    seconds: float = 30.0  # a busy machine is slow, and waits for nothing else
    needed: bool = False


def examine(checks: Sequence[Check]) -> list[Finding]:
    """Run all checks at once; the findings in the order of the checks."""
    found: dict[str, list[Finding]] = {}
    threads = [
        threading.Thread(target=_look, args=(check, found), name=check.name, daemon=True)
        for check in checks
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for check, thread in zip(checks, threads, strict=True):
        thread.join(max(0.0, began + check.seconds - time.monotonic()))
        if thread.is_alive():
            value = f"no answer within {check.seconds:.0f} s"
            found[check.name] = [Finding(check.name, _bad(check), value, "see why it hangs")]
    return [finding for check in checks for finding in found[check.name]]


def _look(check: Check, found: dict[str, list[Finding]]) -> None:
    try:
        findings = check.look()
    except Exception as error:  # a check that fails says so, and ends no other
        text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        findings = [Finding(check.name, _bad(check), text)]
    found.setdefault(check.name, findings)


def _bad(check: Check) -> State:
    return "fails" if check.needed else "warning"
