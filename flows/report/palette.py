"""What each colour of a chart means.

A page has one meaning for a colour: blues and violets are policies, in their order; grey is the
base policy, or whatever else is compared with; green is right or kept and vermilion wrong. The
others say what the legend of their chart says. All keep a contrast of 3 to 1 on both grounds (WCAG
2.2, 1.4.11), and lines have markers of different shapes besides, for eyes that see fewer hues.
"""

from __future__ import annotations

# Places in the lists below, which are the classes s0, s1 ... of style.css.
BLUE, WRONG, RIGHT, PINK, AMBER, SKY, GREY = range(7)
VIOLET, NAVY, TEAL, BROWN, INK, OLIVE = range(7, 13)
_LIGHT = (
    *("#0072b2", "#b8430a", "#00865f", "#c2609a", "#c07f00", "#3c97d3", "#6b7280"),
    *("#a874db", "#1b2a5c", "#007a70", "#6b3f22", "#1f2430", "#8a8c00"),
)
_DARK = (
    *("#4fa3e3", "#eb7a3c", "#2bbd94", "#e58fbf", "#f0b429", "#a5daf7", "#9aa1ad"),
    *("#c9a6f5", "#6c7fd0", "#35b0a6", "#b27f58", "#e8eaee", "#cfcb4a"),
)
_POLICIES = (BLUE, VIOLET, NAVY, TEAL, SKY)
# For parts of a whole that are neither policies nor right or wrong.
PARTS = (AMBER, PINK, BROWN, OLIVE, INK)


def policy_colour(number: int) -> int:
    """The colour of policy p_number; a chart shows at most five beside the base."""
    return _POLICIES[(number - 1) % len(_POLICIES)] if number else GREY


def place_colour(place: int) -> int:
    """Of policies or runs side by side: grey for the first, which the others are compared with."""
    colours = (*_POLICIES, *PARTS)
    return colours[(place - 1) % len(colours)] if place else GREY


def line_colour(place: int) -> int:
    """Of lines or bars of which none is compared with."""
    return place_colour(place + 1)


def css(where: str) -> str:
    """The colours as CSS: variables where the selector says, light, dark and printed; classes."""
    light, dark = (
        "".join(f"--o{n}:{colour};" for n, colour in enumerate(colours))
        for colours in (_LIGHT, _DARK)
    )
    classes = "".join(f".s{n}{{--c:var(--o{n})}}" for n in range(len(_LIGHT)))
    return (
        f"{where}{{{light}}}@media(prefers-color-scheme:dark){{{where}{{{dark}}}}}"
        f"@media print{{{where}{{{light}}}}}{classes}"
    )
