"""What every section of the configuration has in common."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A titled group of fields; an unknown field is an error, never ignored."""

    # No name or path is longer, and a text of a megabyte in a form is no mistake of a person.
    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=4096)

    # Fields that came when runs had been made already. At their default they stand in no key, so
    # that a run is the one that it was before there were any, and finds what it made.
    LATER: ClassVar[frozenset[str]] = frozenset()

    def recipe(self) -> dict[str, Any]:
        """The settings as they stand in cache keys and run ids."""
        data = self.model_dump()
        for name in self.LATER:
            if self.is_default(name):
                del data[name]
        return data

    def is_default(self, name: str) -> bool:
        """Whether a field is as it is where nothing is said of it."""
        field = type(self).model_fields[name]
        return getattr(self, name) == field.get_default(call_default_factory=True)
