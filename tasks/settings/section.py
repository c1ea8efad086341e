"""What every section of the configuration has in common."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from tasks.settings.find_function import find_function
from tasks.settings.user_function import Choice, UserFunction


class Section(BaseModel):
    """A titled group of fields; an unknown field is an error, never ignored."""

    # No name or path is longer, and a text of a megabyte in a form is no mistake of a person.
    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=4096)

    # Fields that came when runs had been made already. At their default they stand in no key, so
    # that a run is the one that it was before there were any, and finds what it made.
    LATER: ClassVar[frozenset[str]] = frozenset()
    # Those of them that the keys of reports have not either.
    LATEST: ClassVar[frozenset[str]] = frozenset()
    # Fields that take a function of the user's own beside names of ours.
    CHOICES: ClassVar[Mapping[str, Choice]] = {}

    @cached_property
    def functions(self) -> dict[str, UserFunction]:
        """The user's own functions by field, as their files are at the first look.

        Raises:
            UserError: one is nowhere, or not to be called.
        """
        return {
            name: find_function(choice, text)
            for name, choice in self.CHOICES.items()
            if (text := getattr(self, name)) not in choice.names
        }

    def recipe(self) -> dict[str, object]:
        """The settings as they stand in cache keys and run ids.

        Raises:
            UserError: a function of the user's is nowhere.
        """
        data = self._without_defaults(self.LATER)
        return self._with_functions(data, {name: one.key for name, one in self.functions.items()})

    def described(self) -> dict[str, object]:
        """The settings as they stand in a report and in its key; raises as `recipe`."""
        data = self._without_defaults(self.LATEST)
        return self._with_functions(data, {name: str(one) for name, one in self.functions.items()})

    def _with_functions(
        self, data: dict[str, object], said: Mapping[str, object]
    ) -> dict[str, object]:
        """The settings with what is said of each function in the place of its name."""
        return {**data, **said}

    def _without_defaults(self, names: frozenset[str]) -> dict[str, object]:
        data = self.model_dump()
        for name in data:
            data[name] = _nested(getattr(self, name), data[name])
        for name in names:
            if self.is_default(name):
                data.pop(name, None)
        return data

    def is_default(self, name: str) -> bool:
        """Whether a field is as it is where nothing is said of it."""
        field = type(self).model_fields[name]
        return getattr(self, name) == field.get_default(call_default_factory=True)


def _nested(value: object, data: object) -> object:
    """What a section inside a section, or a list of them, is in a key."""
    if isinstance(value, Section):
        return value._without_defaults(value.LATER)  # pyright: ignore[reportPrivateUsage]
    if isinstance(value, list) and isinstance(data, list):
        return [_nested(one, part) for one, part in zip(value, data, strict=True)]
    return data
