"""Checkers of problems whose answer is about a tree, a graph or lists."""

from tasks.checkers.words import Words, cases


@cases
def closed_spots(given: Words, expected: Words, printed: Words) -> bool:
    """At most four of seven spots to close, so that no way has two tracks."""
    n, m = given.numbers(2)
    tracks = [given.numbers(2) for _ in range(m)]
    expected.numbers(expected.number())
    closed = set(printed.distinct(printed.number(0, 4 * n // 7), 1, n))
    left = [(x, y) for x, y in tracks if x not in closed and y not in closed]
    return not {x for x, _ in left} & {y for _, y in left}


def two_trees(given: Words, expected: Words, printed: Words) -> bool:
    """Two unlike trees of these widths, where there is more than one."""
    widths = given.numbers(given.number() + 1)
    n = sum(widths)
    unlike = expected.yes("ambiguous", "perfect")
    if unlike:
        expected.numbers(2 * n)
    if printed.yes("ambiguous", "perfect") != unlike:
        return False
    if not unlike:
        return True
    names: dict[tuple[int, ...], int] = {}
    found = [_shape(printed.numbers(n, 0, n), widths, names) for _ in range(2)]
    return -1 not in found and found[0] != found[1]


def _shape(parents: list[int], widths: list[int], names: dict[tuple[int, ...], int]) -> int:
    """A number that equal trees share; -1 for what is no tree of these widths."""
    children: list[list[int]] = [[] for _ in range(len(parents) + 1)]
    for vertex, parent in enumerate(parents, 1):
        children[parent].append(vertex)
    levels = [children[0]]
    while levels[-1]:
        levels.append([child for vertex in levels[-1] for child in children[vertex]])
    if len(children[0]) != 1 or [len(level) for level in levels[:-1]] != widths:
        return -1
    name = [0] * (len(parents) + 1)
    for level in reversed(levels):
        for vertex in level:
            below = tuple(sorted(name[child] for child in children[vertex]))
            name[vertex] = names.setdefault(below, len(names) + 1)
    return name[children[0][0]]


def joined_lists(given: Words, expected: Words, printed: Words) -> bool:
    """All lists joined to one, by their ends alone."""
    n = given.number()
    old = [given.numbers(2) for _ in range(n)]
    expected.numbers(2 * n)
    new = [printed.numbers(2, 0, n) for _ in range(n)]
    for (left, right), (new_left, new_right) in zip(old, new, strict=True):
        if left not in (0, new_left) or right not in (0, new_right):
            return False
    starts = [i for i, (before, _) in enumerate(new, 1) if not before]
    if len(starts) != 1:
        return False
    cell, count = starts[0], 1
    while following := new[cell - 1][1]:
        if new[following - 1][0] != cell or count == n:
            return False
        cell, count = following, count + 1
    return count == n


def vertex_in_hand(given: Words, expected: Words, printed: Words) -> bool:
    """A vertex below which no subtree has two colours: all edges between two meet in it."""
    n = given.number()
    edges = [given.numbers(2) for _ in range(n - 1)]
    colours = given.numbers(n)
    exists = expected.yes()
    if exists:
        expected.number()
    if printed.yes() != exists:
        return False
    if not exists:
        return True
    vertex = printed.number(1, n)
    return all(vertex in (u, v) or colours[u - 1] == colours[v - 1] for u, v in edges)


def numbered_tree(given: Words, expected: Words, printed: Words) -> bool:
    """Numbers in a tree that differ by one along each edge, some of them given."""
    n = given.number()
    edges = [given.numbers(2) for _ in range(n - 1)]
    fixed = [given.numbers(2) for _ in range(given.number())]
    exists = expected.yes("Yes", "No")
    if exists:
        expected.numbers(n)
    if printed.yes("Yes", "No") != exists:
        return False
    if not exists:
        return True
    numbers = printed.numbers(n)
    return all(abs(numbers[a - 1] - numbers[b - 1]) == 1 for a, b in edges) and all(
        numbers[vertex - 1] == value for vertex, value in fixed
    )


def mended_tree(given: Words, expected: Words, printed: Words) -> bool:
    """Fewest changes that make parents a tree."""
    n = given.number()
    old = given.numbers(n)
    count = expected.number()
    expected.numbers(n)
    printed.number(count, count)
    new = printed.numbers(n, 1, n)
    if sum(a != b for a, b in zip(old, new, strict=True)) != count:
        return False
    roots = [vertex for vertex, parent in enumerate(new, 1) if vertex == parent]
    children: list[list[int]] = [[] for _ in range(n + 1)]
    for vertex, parent in enumerate(new, 1):
        if vertex != parent:
            children[parent].append(vertex)
    reached = list(roots)
    for vertex in reached:
        reached += children[vertex]
    return len(roots) == 1 and len(reached) == n
