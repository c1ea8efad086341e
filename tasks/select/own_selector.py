"""A selector of the user's own, called in a process that can be killed."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from tasks.errors import UserError
from tasks.processes.functions import FunctionPool
from tasks.select.selectors import Candidate
from tasks.settings.user_function import UserFunction

LOG = "selector.log"


class OwnSelector:
    """Chooses among a problem's candidates; a context manager that ends the process."""

    def __init__(self, function: UserFunction, seconds: float, logs: Path) -> None:
        """Nothing is started yet.

        Args:
            function: The selector.
            seconds: Limit of a call.
            logs: Folder for the traceback of a call that fails.
        """
        self._pool = FunctionPool(function, 1, seconds)
        self._function, self._log = function, logs / LOG

    def __call__(self, problem_id: str, found: list[Candidate]) -> list[Candidate]:
        """Those that the function wants.

        Raises:
            UserError: it failed, or gave what is not among them; names function and problem.
        """
        plain = [[one.index, one.digest.hex(), *one[2:6]] for one in found]
        answer = self._pool.submit({"candidates": plain}).result()
        if answer.error:
            named = f"{self._function.field}: {self._function.label}: {problem_id}: {answer.error}"
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("a", encoding="utf-8") as file:
                file.write(f"{named}\n{answer.trace}")
            raise UserError(f"{named} (log: {self._log})")
        return [found[place] for place in answer.value]

    def __enter__(self) -> Self:
        self._pool.check()
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.close()
