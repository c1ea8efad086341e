r"""Formulas of their own, set off on lines between `$$` or `\\[` and `\\]`."""

from __future__ import annotations

import re

from tasks.score.math.limits import MAX_DISPLAY_TAIL

# A formula of its own is one piece even where it is spread over lines.
_DISPLAY = re.compile(r"\$\$([^$]{1,1000}?)\$\$|(?<!\\)\\\[((?:(?!\\\[).){1,1000}?)\\\]", re.DOTALL)


def flat(text: str) -> str:
    """Formulas of their own near the end, each on one line."""
    if "$$" not in text and ("\n" not in text or "\\[" not in text):
        return text
    head, tail = text[:-MAX_DISPLAY_TAIL], text[-MAX_DISPLAY_TAIL:]
    if tail.count("$$") % 2:  # cut off at the front: the first one closes
        head, tail = head + tail.partition("$$")[0], tail.partition("$$")[2]
    return head + _DISPLAY.sub(_inline, tail)


def _inline(match: re.Match[str]) -> str:
    inner = (match.group(1) or match.group(2)).strip()
    return match.group() if "$" in inner else f"${' '.join(inner.split())}$"
