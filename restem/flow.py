"""The flow as `restem serve` names it to Prefect, which looks in the folder at hand first."""

from __future__ import annotations

from restem import use_own_names

use_own_names()

from flows.rest_em.flow import rest_em  # noqa: E402

__all__ = ["rest_em"]
