"""How long to wait before a service is asked again.

A service that says when (Retry-After, in seconds or as a date) is believed. Otherwise the wait
doubles from one failure to the next, and a random part of it is taken, so that requests that failed
together do not come back together.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

FIRST_SECONDS, MOST_SECONDS = 1.0, 60.0
# Doublings after which MOST_SECONDS is reached whatever the first wait was.
_MOST_DOUBLINGS = 16


def wait_seconds(failures: int, headers: Mapping[str, str] | None = None) -> float:
    """Seconds until the next try.

    Args:
        failures: In a row, this one among them.
        headers: Of the response, if there was one.
    """
    told = _told(headers) if headers is not None else None
    if told is not None:
        return told
    most = min(MOST_SECONDS, FIRST_SECONDS * 2 ** min(failures - 1, _MOST_DOUBLINGS))
    return most * random.uniform(0.5, 1.0)


def _told(headers: Mapping[str, str]) -> float | None:
    """What the service says: `retry-after-ms` (OpenAI's own) before `retry-after`."""
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        given = headers.get(name, "").strip()
        try:
            return max(0.0, float(given) * unit)
        except ValueError:
            pass
    try:
        until = parsedate_to_datetime(headers["retry-after"]).timestamp()
        return max(0.0, until - _clock_of(headers))
    except (KeyError, ValueError, TypeError):
        return None


def _clock_of(headers: Mapping[str, str]) -> float:
    """Unix time as the service has it; ours, which may be wrong, where it does not say."""
    try:
        return parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, ValueError, TypeError):
        return time.time()
