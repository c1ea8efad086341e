"""Make models/tiny-notes, the base of `restem demo --domain notes`: `python make_tiny_notes.py`.

A Llama of some 0.4 million parameters, pre-trained on posts of `synthetic_notes` with notes as
people write them (note_writers.py). Every post is of the `corpus` share, which holds neither test
posts nor those of the loop.

Takes some minutes on one core. The same machine and versions give the same bytes.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from models.note_writers import write_note
from models.pretraining import Plan, Text, make
from tasks.problems.synthetic_notes import post_stream

SEED = 0
PLAN = Plan(steps=3000, seed=SEED)
# Words, digits and signs are never merged with each other; every digit stands alone.
PIECES = r" ?[A-Za-z]+|, |\d|[^\w]|."


def corpus(seed: int = SEED) -> Iterator[Text]:
    """The text of the pre-training, without end."""
    rng = random.Random(f"tiny-notes/{seed}")
    for post in post_stream("corpus", seed=seed):
        yield f"Post: {post.text}\nNote: ", write_note(rng, post)


def vocabulary() -> Iterator[str]:
    """Text that has every word."""
    return ("".join(text) for text in itertools.islice(corpus(), 4000))


if __name__ == "__main__":
    make(Path(__file__).parent / "tiny-notes", corpus, vocabulary(), PIECES, PLAN)
