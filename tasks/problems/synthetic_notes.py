"""`synthetic_notes`: short posts to sum up in one line, made by a program.

The task of the papers that learn from preferences (TL;DR: Stiennon et al., arXiv 2009.01325; Lee et
al., 2309.00267), in miniature: a post of five to eight sentences holds three facts among chatter,
and a good note tells the facts, makes nothing up and is short. Unlike those, what a note is worth
can be computed (tasks/score/notes.py), so it is known how right a judge, a reward model or a win
rate is.

A fact is "NAME VERB NUMBER THING". A hash of a post's facts decides its side, so the same facts
never stand on two: `test`, `train`, and `corpus`, on which the shipped models were pre-trained
(models/make_notes.py).

Not covered: facts in other words, facts that hang on each other, notes that are good in more than
one way.
"""

from __future__ import annotations

import hashlib
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass

from tasks.problems.source import check_generated, problem_row
from tasks.rows import Row

NOTE_SIZES = {"train": 1500, "test": 400}
# Of every ten posts one is for testing, two for the loop, seven for pre-training.
_SHARES = {"test": range(0, 1), "train": range(1, 3), "corpus": range(3, 10)}
FACTS = 3
# Sentences of chatter beside the facts; a post's level is their place in this list.
CHATTER = (2, 3, 4, 5)

PEOPLE = ("Ann", "Bob", "Eve", "Ian", "Kim", "Leo", "Max", "Mia", "Ned", "Sue", "Tom", "Zoe")
VERBS = ("bought", "found", "lost", "made", "sold", "sent")
THINGS = ("caps", "cups", "eggs", "figs", "hats", "keys", "mugs", "nuts", "pens", "toys")
_OPENINGS = ("It was", "The day was", "The room was", "The road was", "Lunch was", "The bus was")
_MOODS = ("cold", "long", "nice", "slow", "quiet", "warm", "late", "full")
_ASIDES = (
    "Nobody minded",
    "We all laughed",
    "The dog slept",
    "Music was on",
    "Rain fell again",
    "Someone sang",
    "The cat ran off",
    "Tea was served",
)


@dataclass(frozen=True)
class Fact:
    """Who did what to how many of which things."""

    name: str
    verb: str
    number: int
    thing: str

    @property
    def text(self) -> str:
        """The fact as posts and notes have it."""
        return f"{self.name} {self.verb} {self.number} {self.thing}"


@dataclass(frozen=True)
class Post:
    """A post before it is a problem.

    Attributes:
        sentences: In order, without their full stops: facts and chatter.
        facts: In the order of the post.
    """

    sentences: tuple[str, ...]
    facts: tuple[Fact, ...]

    @property
    def text(self) -> str:
        """What a policy is given."""
        return " ".join(f"{one}." for one in self.sentences)

    @property
    def share(self) -> str:
        """The side on which these facts stand, whatever the chatter."""
        named = ";".join(sorted(fact.text for fact in self.facts))
        digest = hashlib.sha256(f"synthetic_notes:{named}".encode()).digest()
        bucket = int.from_bytes(digest[:8], "big") % 10
        return next(share for share, buckets in _SHARES.items() if bucket in buckets)


def load_split(split: str, *, source: str = "") -> Iterator[Row]:
    """Yield the rows of a split, always the same ones; raises like `check_generated`."""
    check_generated("synthetic_notes", split, source)
    for index, post in enumerate(itertools.islice(post_stream(split, seed=0), NOTE_SIZES[split])):
        yield problem_row(
            *("synthetic_notes", split, f"{index:05d}", "notes"),
            question=post.text,
            reference=", ".join(fact.text for fact in post.facts),
            level=str(1 + CHATTER.index(len(post.sentences) - FACTS)),
        )


def post_stream(share: str, *, seed: int) -> Iterator[Post]:
    """Yield posts of a share without end, levels in turn, no post twice."""
    rng = random.Random(f"synthetic_notes/{share}/{seed}")
    seen: set[str] = set()
    for chatter in itertools.cycle(CHATTER):
        post = draw_post(rng, chatter)
        while post.share != share or post.text in seen:
            post = draw_post(rng, chatter)
        seen.add(post.text)
        yield post


def draw_post(rng: random.Random, chatter: int) -> Post:
    """Draw a post with so many sentences of chatter; no two facts share a name or a thing."""
    names, things = rng.sample(PEOPLE, FACTS), rng.sample(THINGS, FACTS)
    facts = tuple(
        Fact(name, rng.choice(VERBS), rng.randint(2, 99), thing)
        for name, thing in zip(names, things, strict=True)
    )
    said: set[str] = set()
    while len(said) < chatter:
        said.add(draw_chatter(rng))
    sentences = [*sorted(said), *(fact.text for fact in facts)]
    rng.shuffle(sentences)
    order = sorted(facts, key=lambda fact: sentences.index(fact.text))
    return Post(tuple(sentences), tuple(order))


def draw_chatter(rng: random.Random) -> str:
    """Draw a sentence that tells nothing."""
    if rng.random() < 0.5:
        return f"{rng.choice(_OPENINGS)} {rng.choice(_MOODS)}"
    return rng.choice(_ASIDES)
