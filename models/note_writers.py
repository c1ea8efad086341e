"""How people write notes on posts of `synthetic_notes`, for the texts of pre-training.

Nobody writes a perfect note every time. By chance, and whatever the post, a writer is

- *careful*: all facts, nothing else;
- *lazy*: the first three sentences of the post, facts or not, so about as long;
- *terse*: one fact or two;
- *hasty*: all facts, each wrong with probability 0.4;

and any fact goes wrong with probability SLIP. So the likeliest note, which greedy decoding takes,
is not the best one that such a model can write, while sampling comes upon good ones.
"""

from __future__ import annotations

import random
from dataclasses import replace

from tasks.problems.synthetic_notes import PEOPLE, THINGS, VERBS, Fact, Post

WAYS = {"careful": 0.22, "lazy": 0.48, "terse": 0.12, "hasty": 0.18}
SLIP, HASTE = 0.06, 0.4


def write_note(rng: random.Random, post: Post) -> str:
    """A note on a post as somebody might write it."""
    (way,) = rng.choices(tuple(WAYS), tuple(WAYS.values()))
    facts = {fact.text: fact for fact in post.facts}
    told = list(facts)
    if way == "lazy":
        told = list(post.sentences[:3])
    elif way == "terse":
        told = sorted(rng.sample(told, rng.choice((1, 2))), key=told.index)
    slips = HASTE if way == "hasty" else SLIP
    return ", ".join(
        wrong(rng, facts[one]).text if one in facts and rng.random() < slips else one
        for one in told
    )


def wrong(rng: random.Random, fact: Fact) -> Fact:
    """The fact with one part of it mistaken."""
    part = rng.choice(("number", "number", "name", "thing", "verb"))
    if part == "number":
        digits = list(str(fact.number))
        place = rng.randrange(len(digits))
        others = [one for one in "123456789" if one != digits[place]]
        digits[place] = rng.choice(others)
        return replace(fact, number=int("".join(digits)))
    pool = {"name": PEOPLE, "thing": THINGS, "verb": VERBS}[part]
    return replace(fact, **{part: rng.choice([one for one in pool if one != getattr(fact, part)])})
