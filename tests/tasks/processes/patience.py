"""Limits of time for questions that never end, beside plenty of it for all others.

On a busy machine a short limit, which a test needs for what never ends, would end what does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tasks.processes.killable import KillableProcess, Question


def patient_but_with(
    patch: pytest.MonkeyPatch, endless: Callable[[Question], bool], plenty: float
) -> None:
    """Give processes that can be killed so many seconds for each question that may end."""
    ask = KillableProcess.ask

    def asked(process: KillableProcess, question: Question, seconds: float, *more: Any) -> Any:
        return ask(process, question, seconds if endless(question) else plenty, *more)

    patch.setattr(KillableProcess, "ask", asked)
