"""What every section of the configuration has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A titled group of fields; an unknown field is an error, never ignored."""

    # No name or path is longer, and a text of a megabyte in a form is no mistake of a person.
    model_config = ConfigDict(extra="forbid", frozen=True, str_max_length=4096)
