"""Solvers of BIG-Bench Hard's mechanical tasks, to see that exemplars are right.

Each takes the text of a question and gives the answer in the form of the targets. They know nothing
of the exemplars' own chains of thought; where the wording is the data set's own they are run over
all of its rows too.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator

NUMBERS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
ORDINALS = ["first", "second", "third", "fourth", "fifth", "sixth", "seventh"]
PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">"}


def options(question: str) -> list[str]:
    """The texts of the options, in order."""
    return re.findall(r"^\([A-R]\) (.*)$", question, re.MULTILINE)


def letter(question: str, fits: Callable[[str], bool]) -> str:
    """The letter of the one option that fits."""
    (found,) = (number for number, text in enumerate(options(question)) if fits(text))
    return f"({chr(ord('A') + found)})"


def number(word: str) -> int:
    """How many `a`, `an`, `two` … are."""
    return 1 if word in ("a", "an") else NUMBERS.index(word)


def boolean(question: str) -> str:
    """`not ( True ) is`."""
    return str(eval(question.removesuffix(" is")))


def arithmetic(question: str) -> str:
    """`((1 + 2) * 3) =`."""
    return str(eval(question.removesuffix("=")))


def dyck(question: str) -> str:
    """The brackets that close what is open."""
    open_: list[str] = []
    for sign in question.partition("Input: ")[2].split():
        if sign in PAIRS:
            open_.append(PAIRS[sign])
        else:
            assert open_.pop() == sign
    return " ".join(reversed(open_))


def navigate(question: str) -> str:
    """Walk in the plane."""
    place, facing = 0j, 1j
    for turn, steps, way in re.findall(
        r"Turn (left|right|around)\.|Take (\d+) steps?(?: (left|right|forward|backward))?\.",
        question,
    ):
        turns = {"left": 1j, "right": -1j, "around": -1, "backward": -1, "forward": 1, "": 1}
        if turn:
            facing *= turns[turn]
        else:
            place += int(steps) * facing * turns[way]
    return "Yes" if place == 0 else "No"


def web_of_lies(question: str) -> str:
    """Who tells the truth, from the first to the last."""
    honest: dict[str, bool] = {}
    for who, whom, truth in re.findall(r"(\w+)(?: says (\w+))? (tells the truth|lies)\.", question):
        said = truth != "lies"
        honest[who] = said if not whom else said == honest[whom]
    asked = re.search(r"Does (\w+) tell the truth\?$", question)
    assert asked
    return "Yes" if honest[asked.group(1)] else "No"


def word_sorting(question: str) -> str:
    """Sort the words after `List:`."""
    return " ".join(sorted(question.partition("List: ")[2].split()))


def tracking(question: str) -> str:
    """Swap; the options are the things of the people in their order."""
    listed = re.match(r"((?:\w+, )+and \w+) ", question)
    asked = re.search(r"\. (?:At the end|When)[^.]*, (\w+) (?:has|is)\b[^.]*\nOptions", question)
    assert listed and asked
    people = re.findall(r"[A-Z]\w+", listed.group(1))
    holds = {one: one for one in people}
    for a, b in re.findall(r"(\w+) and (\w+) (?:swap|switch|trade)", question):
        holds[a], holds[b] = holds[b], holds[a]
    return f"({chr(ord('A') + people.index(holds[asked.group(1)]))})"


def hour(text: str) -> int:
    """`11am` as 11, `4pm` as 16."""
    value = int(text[:-2]) % 12
    return value + 12 * text.endswith("pm")


def temporal(question: str) -> str:
    """The option in which nothing else was done."""
    woke = re.search(r"woke up at (\w+)\.", question)
    closed = re.search(r"was closed after (\w+)\.", question)
    assert woke and closed
    first, last = hour(woke.group(1)), hour(closed.group(1))
    busy = [(hour(a), hour(b)) for a, b in re.findall(r" from (\w+) to (\w+)\.", question)]

    def free(option: str) -> bool:
        start, end = map(hour, option.split(" to "))
        return first <= start and end <= last and all(end <= a or b <= start for a, b in busy)

    return letter(question, free)


def logical_deduction(question: str) -> str:
    """The option that holds in the one order in which every statement holds."""
    size = next(n for n in (3, 5, 7) if f"set of {NUMBERS[n]} objects" in question)
    text = question.partition("within each paragraph. ")[2].partition("\nOptions:")[0]
    listed, *statements = [s for s in re.split(r"[.:]\s*", text) if s][1:]
    names = [re.sub(r"^(?:and )?(?:an? )?", "", one) for one in listed.split(", ")]
    orders = [
        order
        for order in itertools.permutations(names)
        if all(holds(statement, order) for statement in statements)
    ]
    assert len(names) == size and len(orders) == 1
    return letter(question, lambda option: holds(option, orders[0]))


def holds(statement: str, order: tuple[str, ...]) -> bool:
    """Whether a statement is true of an order, from left, first, newest or most expensive on."""
    match = re.match(r"(?:The )?(.+?) (?:is|are|finished) (?:the )?(.+)$", statement)
    assert match, statement
    at, rest = order.index(match.group(1)), match.group(2)
    relation = re.match(
        r"(?:(to the left of|above|more expensive than|newer than)"
        r"|to the right of|below|less expensive than|older than) (?:the )?(.+)$",
        rest,
    )
    if relation:
        other = order.index(relation.group(2))
        return at < other if relation.group(1) else at > other
    from_end = bool(re.search(r"right|last|oldest|cheapest", rest))
    ordinal = next((n for n, word in enumerate(ORDINALS) if rest.startswith(word)), 0)
    return at == (len(order) - 1 - ordinal if from_end else ordinal)


def geometric(question: str) -> str:
    """Only closed paths of straight lines that go once round, and single lines."""
    points = re.findall(r"[ML] (\S+?,\S+?)[ \"]", question)
    names = {3: "triangle", 5: "pentagon", 6: "hexagon", 7: "heptagon", 8: "octagon"}
    closed = points[0] == points[-1]
    shape = names[len(points) - 1] if closed else {2: "line"}[len(points)]
    return letter(question, shape.__eq__)


def things(text: str) -> Iterator[tuple[int, str]]:
    """(how many, what) of `two figs, a hen, and three gold mugs`."""
    for count, what in re.findall(rf"\b(an?|{'|'.join(NUMBERS)}) ([a-z ]+)", text):
        yield number(count), what.removesuffix(" and").strip()


MECHANICAL: dict[str, Callable[[str], str]] = {
    "boolean_expressions": boolean,
    "dyck_languages": dyck,
    "logical_deduction_five_objects": logical_deduction,
    "logical_deduction_seven_objects": logical_deduction,
    "logical_deduction_three_objects": logical_deduction,
    "multistep_arithmetic_two": arithmetic,
    "navigate": navigate,
    "temporal_sequences": temporal,
    "tracking_shuffled_objects_five_objects": tracking,
    "tracking_shuffled_objects_seven_objects": tracking,
    "tracking_shuffled_objects_three_objects": tracking,
    "web_of_lies": web_of_lies,
    "word_sorting": word_sorting,
}
