"""How many rows and columns a batch has: as many as it needs, or a few sizes that come again.

On a GPU a size that is new costs time in itself: kernels are chosen, and plans for attention made,
by shape. Rows that end one by one give nearly every step a shape of its own. With few sizes a step
computes rows that are idle and columns that are masked, which costs less. On a CPU there is no such
cost, and every size stays as it is.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shapes:
    """The sizes that a batch takes.

    Attributes:
        parts: A batch shrinks by such a part of its first size, at the end by halves; 0: to what is
            needed.
        columns: Columns are a multiple of this.
    """

    parts: int = 0
    columns: int = 1

    def rows(self, live: int, most: int) -> int:
        """Rows of a batch of which so many, one or more, are needed; `most` is its first size."""
        if not self.parts:
            return live
        part, size = max(1, most // self.parts), most
        while (smaller := size - part if size > part else size // 2) >= live:
            size = smaller
        return size

    def width(self, used: int) -> int:
        """Columns of a batch of which so many are needed."""
        return -(-used // self.columns) * self.columns


EXACT = Shapes()
FEW = Shapes(parts=8, columns=64)


def shapes_of(device: str) -> Shapes:
    """The sizes for a type of device."""
    return FEW if device == "cuda" else EXACT
