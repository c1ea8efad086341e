"""Linked lists and binary trees, as LeetCode's problems have them, for functions that are called.

A test has them as JSON lists: a linked list its values, a tree its values level by level with null
where no node is. What the function takes is said by the annotations of its parameters, or by the
problem's own signature, which stands in `__signature__`. A function that returns None, and is
annotated so, has changed its first node, which is then what it returns.
"""

from __future__ import annotations

import builtins
import contextlib
import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.inside.frames import Names

if TYPE_CHECKING:
    import ast

# More is no list but a cycle.
MOST_NODES = 1_000_000
_KINDS = re.compile(r"\b(ListNode|TreeNode)\b")
_LIST_OF = re.compile(r"\b[Ll]ist\[")


class ListNode:
    """A node of a linked list."""

    def __init__(self, val: object = 0, next: ListNode | None = None) -> None:
        self.val, self.next = val, next


class TreeNode:
    """A node of a binary tree."""

    def __init__(
        self, val: object = 0, left: TreeNode | None = None, right: TreeNode | None = None
    ) -> None:
        self.val, self.left, self.right = val, left, right


class _Kind(NamedTuple):
    """What an annotation says: the class of nodes, and in how many lists they are."""

    name: str
    depth: int


class _Classes(NamedTuple):
    """The classes of nodes, by their names in programs; None where a program has none."""

    ListNode: type[ListNode] | None
    TreeNode: type[TreeNode] | None


def definitions(source: str) -> Names:
    """The classes that a program names, for its builtins; its own definition hides one."""
    ours = {"ListNode": ListNode, "TreeNode": TreeNode}
    return {name: ours[name] for name in set(_KINDS.findall(source))}


def call_with_nodes(
    function: Callable[..., object], arguments: list[object], names: Names, entry: str
) -> object:
    """Call a function with nodes where it takes them, and write those that it returns as lists."""
    takes, returns = _signature(function, names, entry)
    classes = _Classes(
        *(names.get(one, getattr(builtins, one, None)) for one in ("ListNode", "TreeNode"))
    )
    given: list[object] = []
    single = False  # whether a node is given by its value alone, and so returned by it
    for place, one in enumerate(arguments):
        kind = _kind(takes[place]) if place < len(takes) else None
        node = getattr(classes, kind.name) if kind else None
        if kind is None or node is None:
            given.append(one)
        elif kind.depth == 0 and one is not None and not isinstance(one, list):
            given.append(_find(given, node, one))
            single = True
        else:
            given.append(_made(one, kind, classes))
    value = function(*given)
    if value is None and returns == "None" and given and isinstance(given[0], _nodes(classes)):
        value = given[0]
    kind = _kind(returns)
    if value is None and kind is not None and kind.depth == 0 and not single:
        return []
    if single and isinstance(value, _nodes(classes)):
        return getattr(value, "val", None)
    return _written(value, classes)


def _signature(function: Callable[..., object], names: Names, entry: str) -> tuple[list[str], str]:
    """The annotations of the parameters, in order, and of what is returned, as text."""
    import ast  # here, as these would make the fork of every program larger
    import inspect

    said = names.get("__signature__")
    if isinstance(said, str):
        tree: ast.AST = ast.Module([], [])
        with contextlib.suppress(SyntaxError, ValueError):
            tree = ast.parse(said.rstrip().rstrip(":") + ": pass")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and node.name == entry:
                found = [one for one in node.args.args if one.arg != "self"]
                return [_source(one.annotation) for one in found], _source(node.returns)
    signature = inspect.signature(function)
    takes = [_text(one.annotation) for one in signature.parameters.values()]
    return takes, _text(signature.return_annotation)


def _source(node: ast.expr | None) -> str:
    import ast

    return "" if node is None else ast.unparse(node)


def _text(annotation: object) -> str:
    import inspect

    if annotation is inspect.Signature.empty:
        return ""
    if annotation is None or isinstance(annotation, str):
        return str(annotation)
    return annotation.__name__ if isinstance(annotation, type) else repr(annotation)


def _kind(text: str) -> _Kind | None:
    found = _KINDS.search(text)
    if found is None:
        return None
    return _Kind(found[1], len(_LIST_OF.findall(text, 0, found.start())))


def _nodes(classes: _Classes) -> tuple[type, ...]:
    return tuple(one for one in classes if isinstance(one, type))


def _made(value: Any, kind: _Kind, classes: _Classes) -> object:
    if value is None:
        return None
    if kind.depth:
        return [_made(one, _Kind(kind.name, kind.depth - 1), classes) for one in value]
    if classes.ListNode is not None and kind.name == "ListNode":
        return _linked(value, classes.ListNode)
    assert classes.TreeNode is not None
    return _tree(value, classes.TreeNode)


def _linked(values: list[object], node: type[ListNode]) -> ListNode | None:
    first = None
    for value in reversed(values):
        made = node(value)
        made.next, first = first, made
    return first


def _tree(values: list[object], node: type[TreeNode]) -> TreeNode | None:
    if not values or values[0] is None:
        return None
    root = node(values[0])
    waiting, rest = deque([root]), iter(values[1:])
    while waiting:
        parent = waiting.popleft()
        for side in ("left", "right"):
            value = next(rest, None)
            if value is not None:
                child = node(value)
                setattr(parent, side, child)
                waiting.append(child)
    return root


def _find(given: list[object], node: type[ListNode] | type[TreeNode], value: object) -> object:
    """The node of an earlier argument that has a value; a new one where there is none."""
    for root in given:
        if isinstance(root, node):
            waiting, seen = [root], 0
            while waiting and seen < MOST_NODES:
                one, seen = waiting.pop(), seen + 1
                if one.val == value:
                    return one
                waiting += [
                    child
                    for side in ("next", "left", "right")
                    if (child := getattr(one, side, None)) is not None
                ]
    return node(value)


def _written(value: object, classes: _Classes) -> object:
    """A value with lists in the place of nodes.

    Raises:
        ValueError: nodes in a cycle.
    """
    if isinstance(value, list | tuple):
        several: list[object] = [*value]
        return [_written(one, classes) for one in several]
    linked, tree = classes
    found: list[object] = []
    if isinstance(linked, type) and isinstance(value, linked):
        while value is not None and len(found) < MOST_NODES:
            found.append(value.val)
            value = value.next
    elif isinstance(tree, type) and isinstance(value, tree):
        waiting: deque[TreeNode | None] = deque([value])
        while waiting and len(found) < MOST_NODES:
            one = waiting.popleft()
            found.append(None if one is None else one.val)
            if one is not None:
                waiting += (one.left, one.right)
        while found and found[-1] is None:
            found.pop()
    else:
        return value
    if len(found) >= MOST_NODES:
        raise ValueError(f"a list or tree of {MOST_NODES:,} nodes or more, or with a cycle")
    return found
