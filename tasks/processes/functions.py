"""Calls a function of the user's in processes that can be killed.

Whatever it does, an answer comes: what it returned, or in a line why there is nothing. A process
that dies is tried once more, as in every pool here; one that is late is not.
"""

from __future__ import annotations

import signal
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any

from tasks.errors import UserError
from tasks.facts import is_object
from tasks.metering import Meter, meter
from tasks.processes.killable import KillableProcess
from tasks.processes.killable_pool import ATTEMPTS, KillablePool
from tasks.settings.user_function import Kind, UserFunction

# What a process runs, by the kind of its function.
_WORKERS: dict[Kind, str] = {
    "reward": "tasks.score.reward_worker",
    "selector": "tasks.select.selector_worker",
    "loader": "tasks.problems.loader_worker",
}
# A file may import what takes long.
LOAD_SECONDS = 120.0


@dataclass(frozen=True)
class Answer:
    """What came of a call.

    Attributes:
        value: JSON; None where there is an error.
        error: In a line, or "".
        trace: The traceback, if there is one.
        alive: Whether its process may be asked again. One that died by itself left no error.
    """

    value: Any = None
    error: str = ""
    trace: str = ""
    alive: bool = True


class FunctionPool(KillablePool):
    """Processes that have loaded one function; a context manager that ends them."""

    def __init__(self, function: UserFunction, workers: int, seconds: float) -> None:
        """Nothing is started yet.

        Args:
            function: Which.
            workers: Most processes at a time, at least 1.
            seconds: Wall seconds that a call may take.
        """
        super().__init__(function.label, workers, _WORKERS[function.kind])
        self.function, self._seconds = function, seconds

    def submit(self, given: dict[str, object]) -> Future[Answer]:
        """Call the function in a thread of the pool with what `given` has for its worker."""
        return self._threads.submit(self._call, given, meter())

    def check(self) -> None:
        """See that the function can be loaded.

        Raises:
            UserError: it cannot; in a line that names its field.
        """
        worker = self._take()
        answer = self._load(worker)
        self._put_back(worker, fit=answer.alive)
        if not answer.alive:
            why = answer.error or _ending(worker.code)
            named = f"{self.function.field}: {self.function.label}"
            raise UserError(f"{named}: it cannot be loaded: {why}")

    def _call(self, given: dict[str, object], asker: Meter | None) -> Answer:
        answer = Answer()
        for _ in range(ATTEMPTS):
            worker = self._take()
            answer = self._load(worker) if worker.jobs == 0 else Answer()
            if answer.alive:
                question = {"given": given, "seconds": self._seconds}
                answer = self._ask(worker, question, self._seconds)
            worker.cpu.read(asker)  # a dead one can be read until it is awaited
            self._put_back(worker, fit=answer.alive)
            self._refuse_closed()  # close() ended the worker, which says nothing of the call
            if answer.alive or answer.error:
                return answer
            answer = Answer(error=_ending(worker.code))
        return answer

    def _load(self, worker: KillableProcess) -> Answer:
        answer = self._ask(worker, {"load": self.function.to_json()}, LOAD_SECONDS)
        return replace(answer, alive=False) if answer.error else answer

    def _ask(self, worker: KillableProcess, question: dict[str, object], seconds: float) -> Answer:
        number = worker.jobs
        try:
            reply: object = worker.ask({**question, "id": number}, seconds)
        except ValueError:  # no JSON
            reply = ""
        if reply is None:
            why = f"it took more than {seconds:g} s" if worker.late else ""
            return Answer(error=why, alive=False)
        if not is_object(reply) or type(found := reply.get("id")) is not int or found != number:
            return Answer(error="it wrote to the pipe of its process", alive=False)
        return Answer(reply.get("value"), reply.get("error", ""), reply.get("trace", ""))


def _ending(code: int | None) -> str:
    if code is not None and code < 0:
        return f"its process was ended by {signal.Signals(-code).name}"
    return f"it ended its process (exit code {code})"
