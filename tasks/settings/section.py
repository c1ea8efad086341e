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
    # Those of them that the keys of reports have not either.
    LATEST: ClassVar[frozenset[str]] = frozenset()

    def recipe(self) -> dict[str, Any]:
        """The settings as they stand in cache keys and run ids."""
        return self._without_defaults(self.LATER)

    def described(self) -> dict[str, Any]:
        """The settings as they stand in a report and in its key."""
        return self._without_defaults(self.LATEST)

    def _without_defaults(self, names: frozenset[str]) -> dict[str, Any]:
        data = self.model_dump()
        for name in names:
            if data[name] == type(self).model_fields[name].get_default(call_default_factory=True):
                del data[name]
        return data
