"""What each colour of a chart means.

A page has one meaning for a colour: blues and violets are policies, in their order; grey is the
base policy, or whatever else is compared with; green is right or kept and vermilion wrong. The
others say what the legend of their chart says. All keep a contrast of 3 to 1 on both grounds (WCAG
2.2, 1.4.11), and lines have markers of different shapes besides, for eyes that see fewer hues.
"""

from __future__ import annotations

# The classes s0, s1 ... of assets/style.css, which has the colours.
BLUE, WRONG, RIGHT, PINK, AMBER, SKY, GREY = range(7)
VIOLET, NAVY, TEAL, BROWN, INK, OLIVE = range(7, 13)
_POLICIES = (BLUE, VIOLET, TEAL, NAVY, SKY)
# For parts of a whole that are neither policies nor right or wrong.
PARTS = (AMBER, PINK, BROWN, OLIVE, INK)
_LINES = (BLUE, AMBER, TEAL, PINK, VIOLET, BROWN, NAVY, OLIVE, SKY, INK)


def policy_colour(number: int) -> int:
    """The colour of policy p_number; a chart shows at most five beside the base."""
    return _POLICIES[(number - 1) % len(_POLICIES)] if number else GREY


def line_colour(place: int) -> int:
    """Of lines or bars of which none is compared with."""
    return _LINES[place % len(_LINES)]
