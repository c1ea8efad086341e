"""A function of the user's own as a setting names it: a reward, a selector, a loader of problems.

Three forms: `path/to/file.py:function`, `package.module:function`, or the name of an installed
entry point of the kind's group. What a function does is in cache keys by its name and the SHA-256
of the file that defines it; of an installed one by its distribution's version too. It is found by
tasks/settings/find_function.py, and runs in tasks/processes/function_worker.py.
"""

from __future__ import annotations

import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import AfterValidator

from tasks.settings.place import possible_place

Kind = Literal["reward", "selector", "loader"]
# Where installed functions are found by their name.
GROUPS: dict[Kind, str] = {
    "reward": "restem.rewards",
    "selector": "restem.selectors",
    "loader": "restem.problems",
}
# What a function may ask for, by the names of its arguments.
ARGUMENTS: dict[Kind, tuple[str, ...]] = {
    "reward": (
        *("question", "reference", "completion", "grade", "samples", "problem", "tokens"),
        "finish",
    ),
    "selector": ("candidates",),
    "loader": ("split", "source"),
}
FILE = re.compile(r"(?P<place>.+\.py):(?P<name>[^:/]+)", re.DOTALL)
MODULE = re.compile(r"(?P<place>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")
_NAME = re.compile(r"[A-Za-z_][\w.-]*")
FORMS = "path/to/file.py:function, package.module:function, or an installed name"


@dataclass(frozen=True)
class Choice:
    """A field that takes names of ours or a function of the user's.

    Attributes:
        field: Such as filter.score, for messages.
        kind: Of the functions.
        names: Ours.
    """

    field: str
    kind: Kind
    names: tuple[str, ...]

    def validator(self) -> AfterValidator:
        """Checks the form alone, and makes a path whole; the file is not looked at."""
        return AfterValidator(self._whole)

    def _whole(self, text: str) -> str:
        if found := FILE.fullmatch(text):
            possible_place(found["place"])
            if found["name"].isidentifier():
                return beside(text, Path.cwd())
        elif MODULE.fullmatch(text) or (_NAME.fullmatch(text) and not text.endswith(".py")):
            return text
        raise ValueError(
            f"expected one of {', '.join(self.names)}, or a function of your own: {FORMS}; not "
            f"{text!r:.80}"
        )


def beside(text: str, folder: Path) -> str:
    """A function's name with a whole path; a relative one begins at `folder`."""
    found = FILE.fullmatch(text)
    if found is None:
        return text
    return f"{os.path.abspath(folder / Path(found['place']).expanduser())}:{found['name']}"


def file_of(text: str) -> str:
    """The path in a function's name, or "" where it has none."""
    found = FILE.fullmatch(text)
    return found["place"] if found else ""


@dataclass(frozen=True)
class UserFunction:
    """A function that was found.

    Attributes:
        field: That names it.
        kind: What it is for.
        name: Of the function in its file.
        file: Path of that file.
        module: Its dotted name; "" for a file that is no module.
        version: Of the module's distribution; "" where it has none.
        sha256: Of the file, in hex.
        source: The file's text; "" for a module, which is imported where it is called.
        arguments: What it asks for.
    """

    field: str
    kind: Kind
    name: str
    file: str
    module: str
    version: str
    sha256: str
    source: str
    arguments: tuple[str, ...]

    @property
    def key(self) -> dict[str, object]:
        """As it stands in cache keys: what it is, not where it lies."""
        key: dict[str, object] = {"function": self.name, "sha256": self.sha256}
        if self.version:
            key["version"] = self.version
        return key

    @property
    def label(self) -> str:
        """For people, such as reward.py:brief."""
        return f"{self.module or Path(self.file).name}:{self.name}"

    def __str__(self) -> str:
        """For reports: what it is, and not where it lies."""
        return f"{self.label} (sha256 {self.sha256[:12]})"

    def to_json(self) -> dict[str, object]:
        """All of it, for another process or machine."""
        return asdict(self)

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> UserFunction:
        """The inverse of `to_json`."""
        return cls(**{**raw, "arguments": tuple(raw["arguments"])})
