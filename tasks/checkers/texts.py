"""Checkers of problems whose answer is a text, or is about one."""

from collections import Counter

from tasks.checkers.words import Words, cases

BEATEN_BY = {"R": "P", "S": "R", "P": "S"}
MOVES = {"L": (-1, 0), "R": (1, 0), "U": (0, 1), "D": (0, -1)}
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz")


@cases
def turned_words(given: Words, expected: Words, printed: Words) -> bool:
    """Fewest words to turn around so that they are unlike and can stand in a row; -1 if none."""
    n = given.number()
    words = [given.word() for _ in range(n)]
    count = expected.number()
    if count == -1:
        return printed.number() == -1
    expected.numbers(count)
    printed.number(count, count)
    for i in printed.distinct(count, 1, n):
        words[i - 1] = words[i - 1][::-1]
    kinds = Counter(word[0] + word[-1] for word in words)
    crossing = kinds["01"] + kinds["10"]
    joined = abs(kinds["01"] - kinds["10"]) <= 1 and (
        crossing > 0 or not (kinds["00"] and kinds["11"])
    )
    return joined and len(set(words)) == n


@cases
def once_inside(given: Words, expected: Words, printed: Words) -> bool:
    """The pattern filled in so that a word is in it exactly once."""
    n = given.number()
    pattern = given.word()
    exists = expected.yes(any_case=True)
    if exists:
        expected.word()
    if printed.yes(any_case=True) != exists:
        return False
    if not exists:
        return True
    text = printed.word()
    fits = len(text) == n and all(a in ("?", b) for a, b in zip(pattern, text, strict=True))
    return fits and set(text) <= LETTERS and _times(text, "abacaba") == 1


def _times(text: str, word: str) -> int:
    return sum(text.startswith(word, i) for i in range(len(text)))


@cases
def brackets_turned(given: Words, expected: Words, printed: Words) -> bool:
    """Parts to turn around so that brackets match, with so many prefixes that do."""
    n, k = given.numbers(2)
    text = given.word()
    expected.numbers(2 * expected.number())
    for _ in range(printed.number(0, n)):
        left = printed.number(1, n)
        right = printed.number(left, n)
        text = text[: left - 1] + text[left - 1 : right][::-1] + text[right:]
    depth = closed = 0
    for one in text:
        depth += 1 if one == "(" else -1
        closed += depth == 0
        if depth < 0:
            return False
    return depth == 0 and closed == k


@cases
def best_throws(given: Words, expected: Words, printed: Words) -> bool:
    """Throws that each win against a most frequent one."""
    bot = given.word()
    expected.word()
    throws = printed.word()
    wins = Counter(BEATEN_BY[one] for one in bot)
    most = max(wins.values())
    return len(throws) == len(bot) and all(wins[one] == most for one in set(throws))


def necklace(given: Words, expected: Words, printed: Words) -> bool:
    """These beads on a circle, with the most cuts at which it reads the same both ways."""
    counts = given.numbers(given.number())
    most = expected.number()
    expected.word()
    printed.number(most, most)
    text = printed.word()
    letters = {chr(ord("a") + i): count for i, count in enumerate(counts)}
    return Counter(text) == Counter(letters) and _palindromes(text) == most


def _palindromes(text: str) -> int:
    """How many rotations read the same both ways.

    Rotation by i does where rotation by 2i is the text from behind; rotations come again after a
    period.
    """
    size, twice = len(text), text + text
    period, first = twice.find(text, 1), twice.find(text[::-1])
    return 0 if first < 0 else sum((2 * i - first) % period == 0 for i in range(size))


@cases
def robot(given: Words, expected: Words, printed: Words) -> bool:
    """A longest way of these moves that comes home and visits nothing twice."""
    moves = Counter(given.word())
    length = expected.number()
    if length:
        expected.word()
    printed.number(length, length)
    way = printed.word() if length else ""
    if len(way) != length or Counter(way) - moves:
        return False
    x = y = 0
    seen: set[tuple[int, int]] = set()
    for one in way:
        x, y = x + MOVES[one][0], y + MOVES[one][1]
        if (x, y) in seen:
            return False
        seen.add((x, y))
    return (x, y) == (0, 0)


@cases
def alternating(given: Words, expected: Words, printed: Words) -> bool:
    """Fewest subsequences in which no two equal digits stand beside each other."""
    n = given.number()
    text = given.word()
    count = expected.number()
    expected.numbers(n)
    printed.number(count, count)
    last: dict[int, str] = {}
    for digit, part in zip(text, printed.numbers(n, 1, count), strict=True):
        if last.get(part) == digit:
            return False
        last[part] = digit
    return True


@cases
def one_letter_off(given: Words, expected: Words, printed: Words) -> bool:
    """A text that differs from each given one by at most a letter; -1 where there is none."""
    n, m = given.numbers(2)
    words = [given.word() for _ in range(n)]
    exists = expected.word() != "-1"
    text = printed.word()
    if not exists:
        return text == "-1"
    return (
        len(text) == m
        and set(text) <= LETTERS
        and all(sum(a != b for a, b in zip(word, text, strict=True)) <= 1 for word in words)
    )


@cases
def ternary(given: Words, expected: Words, printed: Words) -> bool:
    """Two numbers that add up to the given one modulo 3, digit by digit; the greater is least."""
    n = given.number()
    digits = given.word()
    least = max(expected.word(), expected.word())
    a, b = printed.word(), printed.word()
    if any(len(one) != n or one[0] == "0" or set(one) - set("012") for one in (a, b)):
        return False
    added = zip(a, b, digits, strict=True)
    return max(a, b) == least and all((int(x) + int(y)) % 3 == int(c) for x, y, c in added)
