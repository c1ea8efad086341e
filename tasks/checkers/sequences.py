"""Checkers of problems whose answer is a sequence of numbers or a permutation."""

from bisect import bisect_left
from collections import Counter
from itertools import accumulate, pairwise
from math import gcd

from tasks.checkers.words import Words, cases


@cases
def proper_sequence(given: Words, expected: Words, printed: Words) -> bool:
    """One of three numbers at each place of a circle, no two neighbours equal."""
    n = given.number()
    rows = [given.numbers(n) for _ in range(3)]
    expected.numbers(n)
    p = printed.numbers(n)
    return all(p[i] in (row[i] for row in rows) and p[i] != p[i - 1] for i in range(n))


@cases
def pairs_in_any_order(given: Words, expected: Words, printed: Words) -> bool:
    """A number, and so many pairs, of which the order does not count."""
    given.numbers(given.number())
    count = expected.number()
    right = sorted(expected.numbers(2) for _ in range(count))
    printed.number(count, count)
    return sorted(printed.numbers(2) for _ in range(count)) == right


@cases
def longest_way(given: Words, expected: Words, printed: Words) -> bool:
    """A shortest subsequence with the greatest sum of steps."""
    p = given.numbers(given.number())
    count = expected.number()
    expected.numbers(count)
    printed.number(count, count)
    chosen = printed.numbers(count)
    place = {value: i for i, value in enumerate(p)}
    places = [place.get(value, -1) for value in chosen]
    steps = sum(abs(a - b) for a, b in pairwise(chosen))
    most = sum(abs(a - b) for a, b in pairwise(p))
    return places == sorted(set(places)) and -1 not in places and steps == most


@cases
def sum_is_product(given: Words, expected: Words, printed: Words) -> bool:
    """Two numbers whose sum and product are the given one."""
    d = given.number()
    exists = expected.yes("Y", "N")
    if exists:
        _ = expected.word(), expected.word()
    if printed.yes("Y", "N") != exists:
        return False
    if not exists:
        return True
    try:
        a, b = float(printed.word()), float(printed.word())
    except ValueError:
        return False
    error = 1e-6 + 1e-9  # and what reading decimals may add
    return min(a, b) >= 0 and abs(a + b - a * b) <= error and abs(a + b - d) <= error


@cases
def erased_numbers(given: Words, expected: Words, printed: Words) -> bool:
    """Pairs whose means, rounded up, take their places, down to the least last number."""
    n = given.number()
    least = expected.number()
    expected.numbers(2 * (n - 1))
    printed.number(least, least)
    board = Counter(range(1, n + 1))
    for _ in range(n - 1):
        a, b = printed.numbers(2)
        board[a] -= 1
        board[b] -= 1
        if board[a] < 0 or board[b] < 0:
            return False
        board[(a + b + 1) // 2] += 1
    return board[least] == 1


@cases
def chairs(given: Words, expected: Words, printed: Words) -> bool:
    """Numbers of which none divides another and no two have no common divisor."""
    n = given.number()
    expected.numbers(n)
    found = sorted(printed.distinct(n, 1, 4 * n))
    return all(1 < gcd(a, b) < a for i, b in enumerate(found) for a in found[:i])


def lucky_permutation(given: Words, expected: Words, printed: Words) -> bool:
    """A permutation that, done twice, turns the order around; -1 where there is none."""
    n = given.number()
    first = expected.number()
    if first == -1:
        return printed.number() == -1
    expected.numbers(n - 1)
    p = printed.distinct(n, 1, n)
    return all(p[p[i] - 1] == n - i for i in range(n))


def flattest_permutation(given: Words, expected: Words, printed: Words) -> bool:
    """A permutation with the least sum of its longest rise and its longest fall."""
    n = given.number()
    return _rise_and_fall(printed.distinct(n, 1, n)) == _rise_and_fall(expected.numbers(n))


def _rise_and_fall(numbers: list[int]) -> int:
    return _rise(numbers) + _rise([-one for one in numbers])


def _rise(numbers: list[int]) -> int:
    ends: list[int] = []
    for one in numbers:
        place = bisect_left(ends, one)
        ends[place : place + 1] = [one]
    return len(ends)


def telling_questions(given: Words, expected: Words, printed: Words) -> bool:
    """Fewest divisors that tell all numbers apart."""
    n = given.number()
    count = expected.number()
    expected.numbers(count)
    printed.number(count, count)
    asked = printed.numbers(count, 1, n)
    return len({tuple(x % y == 0 for y in asked) for x in range(1, n + 1)}) == n


def even_circle(given: Words, expected: Words, printed: Words) -> bool:
    """Numbers on a circle whose half circles have nearly equal sums."""
    n = given.number()
    exists = expected.yes()
    if exists:
        expected.numbers(2 * n)
    if printed.yes() != exists:
        return False
    if not exists:
        return True
    circle = printed.distinct(2 * n, 1, 2 * n)
    sums = [0, *accumulate(circle + circle)]
    halves = [sums[i + n] - sums[i] for i in range(2 * n)]
    return max(halves) - min(halves) <= 1


def painted_cells(given: Words, expected: Words, printed: Words) -> bool:
    """Where to paint, so that every colour is seen and every cell is painted; -1 where not."""
    n, m = given.numbers(2)
    lengths = given.numbers(m)
    if expected.number() == -1:
        return printed.number() == -1
    expected.numbers(m - 1)
    starts = [printed.number(1, n - length + 1) for length in lengths]
    after = list(range(n + 2))  # the first cell from here on that is not painted yet
    for start, length in zip(reversed(starts), reversed(lengths), strict=True):
        cell = seen = _first(after, start)
        while cell < start + length:
            after[cell] = cell + 1
            cell = _first(after, cell)
        if seen == cell:
            return False
    return _first(after, 1) == n + 1


def _first(after: list[int], cell: int) -> int:
    end = cell
    while after[end] != end:
        end = after[end]
    while after[cell] != end:
        after[cell], cell = end, after[cell]
    return end


def delayed_flights(given: Words, expected: Words, printed: Words) -> bool:
    """An order of flights at the least cost, none before its time."""
    n, k = given.numbers(2)
    costs = given.numbers(n)
    least = expected.number()
    expected.numbers(n)
    printed.number(least, least)
    times = printed.distinct(n, k + 1, k + n)
    delays = [time - i for i, time in enumerate(times, 1)]
    return min(delays) >= 0 and sum(d * c for d, c in zip(delays, costs, strict=True)) == least


@cases
def hidden_permutation(given: Words, expected: Words, printed: Words) -> bool:
    """A permutation in which each segment ends at a place of its own."""
    n = given.number()
    segments = [given.numbers(given.number()) for _ in range(n - 1)]
    expected.numbers(n)
    place = {value: i for i, value in enumerate(printed.distinct(n, 1, n))}
    ends: set[int] = set()
    for segment in segments:
        places = [place[value] for value in segment]
        if max(places) - min(places) + 1 != len(places):
            return False
        ends.add(max(places))
    return len(ends) == n - 1


@cases
def sorting_shifts(given: Words, expected: Words, printed: Words) -> bool:
    """Turns of three neighbours that sort; -1 where there are none."""
    n = given.number()
    a = given.numbers(n)
    count = expected.number()
    if count == -1:
        return printed.number() == -1
    expected.numbers(count)
    for _ in range(printed.number(0, n * n)):
        i = printed.number(1, n - 2) - 1
        a[i : i + 3] = [a[i + 2], a[i], a[i + 1]]
    return a == sorted(a)


@cases
def swapped_columns(given: Words, expected: Words, printed: Words) -> bool:
    """Fewest columns to swap so that both rows are permutations; -1 where there are none."""
    n = given.number()
    rows = [given.numbers(n), given.numbers(n)]
    count = expected.number()
    if count == -1:
        return printed.number() == -1
    expected.numbers(count)
    printed.number(count, count)
    for column in printed.distinct(count, 1, n):
        i = column - 1
        rows[0][i], rows[1][i] = rows[1][i], rows[0][i]
    return all(len(set(row)) == n for row in rows)


@cases
def carousel(given: Words, expected: Words, printed: Words) -> bool:
    """Fewest colours so that neighbours of two kinds have two."""
    n = given.number()
    kinds = given.numbers(n)
    count = expected.number()
    expected.numbers(n)
    printed.number(count, count)
    colours = printed.numbers(n, 1, count)
    return all(kinds[i] == kinds[i - 1] or colours[i] != colours[i - 1] for i in range(n))


def sorted_parts(given: Words, expected: Words, printed: Words) -> bool:
    """Most subsequences that, each sorted, sort the whole."""
    n = given.number()
    values = given.numbers(n)
    order = {value: i for i, value in enumerate(sorted(values), 1)}
    count = expected.number()
    for _ in range(count):
        expected.numbers(expected.number())
    printed.number(count, count)
    seen: set[int] = set()
    for _ in range(count):
        part = printed.numbers(printed.number(1, n), 1, n)
        if {order[values[i - 1]] for i in part} != set(part):
            return False
        if len(set(part)) < len(part) or seen & set(part):
            return False
        seen.update(part)
    return len(seen) == n


def apples(given: Words, expected: Words, printed: Words) -> bool:
    """Most pairs of numbers with a common divisor."""
    n = given.number()
    count = expected.number()
    expected.numbers(2 * count)
    printed.number(count, count)
    pairs = printed.distinct(2 * count, 1, n)
    return all(gcd(a, b) > 1 for a, b in zip(pairs[::2], pairs[1::2], strict=True))


def balanced_boxes(given: Words, expected: Words, printed: Words) -> bool:
    """A number of each box for a box of its own, so that all sums are equal."""
    k = given.number()
    boxes = [given.numbers(given.number()) for _ in range(k)]
    exists = expected.yes(any_case=True)
    if exists:
        expected.numbers(2 * k)
    if printed.yes(any_case=True) != exists:
        return False
    if not exists:
        return True
    sums = [sum(box) for box in boxes]
    into: set[int] = set()
    for i, box in enumerate(boxes):
        number, target = printed.number(), printed.number(1, k)
        if number not in box:
            return False
        into.add(target)
        sums[i] -= number
        sums[target - 1] += number
    return len(into) == k and len(set(sums)) == 1
