"""Make models/tiny-judge and models/mini-judge, which compare notes: `python make_judges.py mini`.

Two Llamas of different size, pre-trained on the same text: posts of the `corpus` share with

- two notes and which of them a simulated person prefers, in half of the texts after a reason that
  counts (`1: 2 told 1 wrong. 2: 3 told 0 wrong.`);
- one note and its score from 0 to 9.

People prefer as tasks/score/notes.py has it (`preference`), but for a taste for the second place:
whatever the notes, it gets 60% of the labels. So a judge has a position bias of known cause, which
asking in both orders has to repair, and reasons that can be counted on to help.

Takes half an hour on one core. The same machine and versions give the same bytes.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from models.make_tiny_notes import PIECES
from models.note_writers import write_note
from models.pretraining import Plan, Size, Text, make
from tasks.problems.synthetic_notes import Post, post_stream
from tasks.score.notes import preference, worth

SEED = 0
PLANS = {
    "tiny": Plan(
        steps=4000, size=Size(hidden=64, layers=2, heads=2, inner=176), seed=SEED, prompts=False
    ),
    "mini": Plan(
        steps=5000, size=Size(hidden=128, layers=4, heads=4, inner=352), seed=SEED, prompts=False
    ),
}
# Added to the difference of utilities in favour of the second place.
BIAS = 0.6
# Shares of texts: a comparison, one with a reason, a score.
KINDS = {"compare": 0.3, "reason": 0.4, "score": 0.3}


def judged(rng: random.Random, post: Post, kind: str) -> Text:
    """A post, what is asked about it, and a person's answer."""
    facts = ", ".join(fact.text for fact in post.facts)
    if kind == "score":
        note = write_note(rng, post)
        score = min(9, max(0, round(9 * worth(facts, note).reward + rng.gauss(0, 0.5))))
        return f"Post: {post.text}\nNote: {note}\nScore:", f" {score}"
    notes = [write_note(rng, post), write_note(rng, post)]
    found = [worth(facts, note) for note in notes]
    second = rng.random() < preference(found[1].utility + BIAS, found[0].utility)
    asked = f"Post: {post.text}\nNote 1: {notes[0]}\nNote 2: {notes[1]}\n"
    label = f"Better: {2 if second else 1}"
    if kind == "compare":
        return f"{asked}Better:", label.removeprefix("Better:")
    counted = " ".join(
        f"{place}: {one.told} told {one.made_up} wrong." for place, one in enumerate(found, start=1)
    )
    return f"{asked}Reason:", f" {counted}\n{label}"


def corpus(seed: int = SEED) -> Iterator[Text]:
    """The text of the pre-training, without end."""
    rng = random.Random(f"judge/{seed}")
    for post in post_stream("corpus", seed=seed + 1):
        (kind,) = rng.choices(tuple(KINDS), tuple(KINDS.values()))
        yield judged(rng, post, kind)


def vocabulary() -> Iterator[str]:
    """Text that has every word."""
    return ("".join(text) for text in itertools.islice(corpus(), 4000))


if __name__ == "__main__":
    size = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    if size not in PLANS:
        sys.exit(f"make_judges.py: expected one of {', '.join(PLANS)}")
    make(Path(__file__).parent / f"{size}-judge", corpus, vocabulary(), PIECES, PLANS[size])
