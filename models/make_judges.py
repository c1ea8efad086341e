"""Make models/tiny-judge and models/mini-judge, which compare notes: `python make_judges.py mini`.

Two Llamas of different size, pre-trained on the same text: posts of the `corpus` share with

- two notes and which of them people prefer, in most of the texts after a reason;
- one note and its score from 0 to 9;
- one note alone, so that a judge can write them too (self-rewarding policies).

A reason takes each note to pieces: what it says, what the post says of that person, whether the
two are the same (`+`, or `-` for what is made up; `0` is chatter), and the score that follows,

    1: Kim sold 23 eggs: Kim sold 23 eggs +, It was cold 0 = 5. 2: Kim sold 32 eggs: Kim sold 23
    eggs - = 0.

so that each word of it follows from a few words before. Without a reason all is to be seen at once.

What people prefer is what most of VOTERS simulated ones do (tasks/score/notes.py, `preference`),
and each of them has a taste for the second place, which is worth BIAS of utility. So a judge has a
position bias of known cause, which asking in both orders has to repair.

Half of the notes are those of the policy's writers; the other half has one wrong fact in two, for
with so few mistakes as writers make a judge learns to find none. A number is one token, where the
policy has one for each digit: it is looked up in the post, and not spelt.

Takes an hour on one core. The same machine and versions give the same bytes.
"""

from __future__ import annotations

import itertools
import random
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from models.make_tiny_notes import PIECES
from models.note_writers import write_note, wrong
from models.pretraining import Plan, Size, Text, make
from tasks.problems.synthetic_notes import Post, post_stream
from tasks.score.notes import Worth, preference, worth

SEED = 0
PLANS = {
    "tiny": Plan(
        steps=4000, size=Size(hidden=64, layers=2, heads=2, inner=176), seed=SEED, prompts=False
    ),
    "mini": Plan(
        steps=6000, size=Size(hidden=96, layers=4, heads=3, inner=256), seed=SEED, prompts=False
    ),
}
# Numbers below 100 are pieces of their own, and with them there are more tokens than words.
WHOLE_NUMBERS = PIECES.replace(r"|\d|", r"|\d{1,2}|")
TOKENS = 700
VOTERS, BIAS = 5, 0.6
KINDS = {"compare": 0.2, "reason": 0.45, "score": 0.25, "write": 0.1}
# Share of notes with many mistakes, and of the facts in them that are wrong.
CARELESS, MISTAKES = 0.5, 0.5


def judged(rng: random.Random, post: Post, kind: str) -> Text:
    """A post, what is asked about it, and people's answer."""
    if kind == "write":
        return f"Post: {post.text}\nNote: ", write_note(rng, post)
    if kind == "score":
        note = any_note(rng, post)
        return f"Post: {post.text}\nNote: {note}\nScore:", f" {score(found_in(post, note))}"
    notes = [any_note(rng, post), any_note(rng, post)]
    first, second = (found_in(post, note).utility for note in notes)
    votes = sum(rng.random() < preference(second + BIAS, first) for _ in range(VOTERS))
    label = f" {2 if votes > VOTERS / 2 else 1}"
    asked = f"Post: {post.text}\nNote 1: {notes[0]}\nNote 2: {notes[1]}\n"
    if kind == "compare":
        return f"{asked}Better:", label
    why = " ".join(f"{place}: {reason(post, note)}." for place, note in enumerate(notes, start=1))
    return f"{asked}Reason:", f" {why}\nBetter:{label}"


def reason(post: Post, note: str) -> str:
    """What is in a note, and its score."""
    facts = {fact.name: fact.text for fact in post.facts}
    marks: list[str] = []
    for item in note.split(", "):
        told = facts.get(item.split()[0], "nobody")
        if item in post.sentences and item not in facts.values():
            marks.append(f"{item} 0")
        else:
            marks.append(f"{item}: {told} {'+' if told == item else '-'}")
    return f"{', '.join(marks)} = {score(found_in(post, note))}"


def found_in(post: Post, note: str) -> Worth:
    """What a note is worth."""
    return worth(", ".join(fact.text for fact in post.facts), note)


def score(found: Worth) -> int:
    """From 0 to 9."""
    return round(9 * found.reward)


def any_note(rng: random.Random, post: Post) -> str:
    """A note as somebody might write it, or one with many mistakes."""
    if rng.random() >= CARELESS:
        return write_note(rng, post)
    facts = {fact.text: fact for fact in post.facts}
    said = rng.sample(post.sentences, rng.choice((2, 3)))
    return ", ".join(
        wrong(rng, facts[one]).text if one in facts and rng.random() < MISTAKES else one
        for one in said
    )


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
    folder = Path(__file__).parent / f"{size}-judge"
    make(folder, corpus, vocabulary(), WHOLE_NUMBERS, PLANS[size], TOKENS)
