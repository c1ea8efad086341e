"""Cuts an answer where a sign stands outside all brackets."""

from __future__ import annotations

import re

PIECE = re.compile(r"\\(?:begin|end)\s*\{[a-z]*\*?\}|\\[{}]|\\[A-Za-z]+|\\\\|.", re.DOTALL)
OPENERS = ("(", "[", "{", r"\{")
CLOSERS = (")", "]", "}", r"\}")


def split(text: str, separator: str) -> list[str]:
    """Split at a separator outside all brackets; half-open intervals count as brackets."""
    pieces: list[str] = []
    piece: list[str] = []
    level = 0
    for token in PIECE.findall(text):
        if token == separator and level <= 0:
            pieces.append("".join(piece).strip())
            piece = []
            continue
        if token in OPENERS or token.startswith(r"\begin"):
            level += 1
        elif token in CLOSERS or token.startswith(r"\end"):
            level -= 1
        piece.append(token)
    pieces.append("".join(piece).strip())
    return pieces


def closes_last(text: str) -> bool:
    """Whether the bracket that opens a text is the one that its last character closes."""
    level = 0
    tokens = PIECE.findall(text)
    for position, token in enumerate(tokens):
        if token in OPENERS:
            level += 1
        elif token in CLOSERS:
            level -= 1
            if level == 0:
                return position == len(tokens) - 1
    return False
