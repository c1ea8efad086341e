"""Problems from a loader of the user's own (`data.train`), checked row by row.

The function is called as `load(split, source)` and gives a dict for each problem: `question` and
`reference` (an empty one has to be written down), and where there are any `id`, `solution`,
`level`, `subject`, `domain` (math, text or code; math if it is left out) and `split` (a row of
another one is passed over). A program has `tests` in the place of a reference.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from tasks.errors import UserError
from tasks.facts import is_list, is_object
from tasks.problems.loader_worker import NO_JSON, NO_ROW
from tasks.problems.source import problem_row
from tasks.processes.functions import FunctionPool
from tasks.rows import Json, Row
from tasks.settings.user_function import UserFunction

# A loader may download what it gives.
LOADER_SECONDS = 3600.0
LOG = "loader.log"
DOMAINS = ("math", "text", "code")
_FIELDS = (
    *("id", "question", "reference", "tests", "solution", "level", "subject", "domain", "split"),
)
_SHOWN = 60


@dataclass(frozen=True)
class OwnLoader:
    """Gives the problem rows of a split.

    Attributes:
        logs: Folder for the traceback of a call that fails.
    """

    function: UserFunction
    logs: Path

    def __call__(self, split: str, source: str) -> Iterator[Row]:
        """Yield the rows of train or test.

        Raises:
            UserError: the function failed, or a row is malformed; in a line that names it.
        """
        place = f"{self.function.field}: {self.function.label} ({split})"
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder) / "rows.jsonl"
            self._load(place, split, source, out)
            with out.open("rb") as file:
                for number, line in enumerate(file):
                    row = _Row(json.loads(line), f"{place}: row {number}")
                    if (row.text("split") or split) == split:
                        yield row.problem(self.function.name, split, number)

    def keep_apart(self, train: Iterable[Row], test: Iterable[Row]) -> None:
        """Refuse one set of problems for both sides, as of a loader that looks at no split.

        Raises:
            UserError: it gives nothing in test that is not in train.
        """
        if {row["question"] for row in test} <= {row["question"] for row in train}:
            raise UserError(
                f"{self.function.field}: {self.function.label}: all its test problems are training "
                "problems; expected others where `split` is test, or rows with a field 'split'"
            )

    def _load(self, place: str, split: str, source: str, out: Path) -> None:
        # The process runs in another folder than the user does.
        path = Path(source).expanduser()
        whole = str(path.absolute()) if source and path.exists() else source
        given = {"split": split, "source": whole}
        arguments = {name: given[name] for name in self.function.arguments}
        with FunctionPool(self.function, 1, LOADER_SECONDS) as pool:
            pool.check()
            answer = pool.submit({"arguments": arguments, "out": str(out)}).result()
        if answer.error:
            log = self.logs / LOG
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("a", encoding="utf-8") as file:
                file.write(f"{place}: {answer.error}\n{answer.trace}")
            raise UserError(f"{place}: {answer.error} (log: {log})")


@dataclass(frozen=True)
class _Row:
    data: Json
    place: str

    def problem(self, name: str, split: str, number: int) -> Row:
        """The row of rows.PROBLEM."""
        if NO_ROW in self.data:
            raise UserError(f"{self.place}: expected a dict, not {self.data[NO_ROW]}")
        if unknown := [field for field in self.data if field not in _FIELDS]:
            self._fail(unknown[0], f"one of the fields {', '.join(_FIELDS)}")
        domain = self.text("domain") or DOMAINS[0]
        if domain not in DOMAINS:
            self._fail("domain", f"one of {', '.join(DOMAINS)}")
        question = self.text("question")
        if not question:
            self._fail("question", "text that is not empty")
        return problem_row(
            name,
            split,
            self.text("id") or number,
            domain,
            question=question,
            reference=self._tests() if domain == "code" else self._reference(),
            solution=self.text("solution"),
            level=self.text("level"),
            subject=self.text("subject"),
        )

    def text(self, field: str) -> str:
        """A text or a finite number as text; "" where there is none."""
        value = self.data.get(field)
        if value is None:
            return ""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if number and math.isfinite(value):
            return str(int(value)) if value == int(value) else repr(value)
        if not isinstance(value, str):
            self._fail(field, "text or a number")
        try:
            value.encode()
        except UnicodeEncodeError:
            self._fail(field, "text without lone surrogates")
        return value.strip()

    def _reference(self) -> str:
        if self.data.get("reference") is None:
            self._fail("reference", "text or a number")
        return self.text("reference")

    def _tests(self) -> str:
        """The tests of a program as a reference has them (tasks/score/code)."""
        tests = self.data.get("tests")
        if is_object(tests) and isinstance(tests.get("entry_point"), str) and tests.get("cases"):
            return json.dumps(tests)
        if not is_list(tests) or not tests or not all(map(_is_test, tests)):
            self._fail("tests", 'a list of {"input", "output"}, or {"entry_point", "cases"}')
        return json.dumps({"tests": tests})

    def _fail(self, field: str, expected: str) -> NoReturn:
        value: object = self.data.get(field)
        kind = value[NO_JSON] if is_object(value) and NO_JSON in value else None
        given = kind or (f"{json.dumps(value):.{_SHOWN}}" if field in self.data else "nothing")
        raise UserError(
            f"{self.place}: field {field!r:.{_SHOWN}}: expected {expected}, not {given}"
        )


def _is_test(test: object) -> bool:
    return is_object(test) and all(isinstance(test.get(name), str) for name in ("input", "output"))


def own_loaders(functions: Mapping[str, Json], names: Json, logs: Path) -> dict[str, OwnLoader]:
    """The loaders of a configuration by how it names them.

    Args:
        functions: By field.
        names: The fields.
        logs: Folder for tracebacks.
    """
    return {
        names[field]: OwnLoader(UserFunction.from_json(one), logs)
        for field, one in functions.items()
    }
