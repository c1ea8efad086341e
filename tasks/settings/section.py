"""What every section of the configuration has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A titled group of fields; an unknown field is an error, never ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True)
