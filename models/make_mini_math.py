"""Make models/mini-math, a smaller and weaker sibling of tiny-math: `python make_mini_math.py`.

The same tokenizer and the same text as tiny-math (models/make_tiny_math.py), read by a model of a
third of its size and for fewer steps, as many more would bring its greedy accuracy close to that of
tiny-math: the pupil where a larger model's samples train a smaller one.

Takes some minutes on one core. The same machine and versions give the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from models.make_tiny_math import PIECES, SEED, corpus, vocabulary
from models.pretraining import Plan, Size, make

__all__ = ["PIECES", "PLAN", "corpus", "vocabulary"]

PLAN = Plan(steps=2000, size=Size(hidden=64, layers=2, heads=2, inner=160), seed=SEED)

if __name__ == "__main__":
    make(Path(__file__).parent / "mini-math", corpus, vocabulary(), PIECES, PLAN)
