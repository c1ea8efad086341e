"""Small faults put into Python programs, one at a time, for tests that a checker must fail.

Only the syntax tree is changed, so a mutant differs from `plain` of its program in one place. The
number of a statement is its place among those that ast.walk meets.
"""

from __future__ import annotations

import ast
import random
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

OTHER: dict[type[ast.AST], type[ast.AST]] = {
    **{ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt},
    **{ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.And: ast.Or, ast.Or: ast.And},
    **{ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.FloorDiv},
    **{ast.FloorDiv: ast.Mult, ast.Mod: ast.FloorDiv},
}
DELETED = (ast.Assign, ast.AugAssign, ast.Expr, ast.Break, ast.Continue, ast.Return)
# What a call of these is given changes what a program may use, not what it prints.
SETTINGS = {"setrecursionlimit", "stack_size"}
# Printed before the numbers of the statements that ran.
MARK = "statements that ran:"


@dataclass(frozen=True)
class Mutant:
    """A program with one fault; the name says where and which."""

    name: str
    program: str


# A place: the kind of fault and the line, the fault in words, and what puts it there; that gives
# back what takes it away again.
_Change = Callable[[], Callable[[], None]]
_Site = tuple[str, int, str, _Change]


def parse(program: str) -> ast.Module:
    """The tree of a program, whatever Python thinks of its style."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)
        return ast.parse(program)


def plain(program: str) -> str:
    """The program as mutants of it are written."""
    return ast.unparse(parse(program))


def traced(program: str) -> str:
    """The program, saying at its end on standard error which of its statements ran."""
    tree = parse(program)
    numbers = {id(statement): number for number, statement in enumerate(_statements(tree))}
    for node in list(ast.walk(tree)):
        for block in _blocks(node):
            notes = [ast.parse(f"_ran.add({numbers[id(old)]})").body[0] for old in block]
            block[:] = [one for pair in zip(notes, block, strict=True) for one in pair]
    at_end = f"lambda: print('\\n{MARK}', *_ran, file=_sys.stderr)"
    head = f"import atexit, sys as _sys; _ran = set(); atexit.register({at_end})"
    return f"{head}\n{ast.unparse(tree)}"


def statements_ran(errors: str) -> set[int]:
    """The numbers that `traced` printed."""
    return {int(word) for word in errors.rpartition(MARK)[2].split()}


def mutants(program: str, count: int, seed: str, ran: set[int] | None = None) -> list[Mutant]:
    """So many different mutants at most; kinds of faults are equally likely to be tried.

    Args:
        program: Python source.
        count: How many are wanted.
        seed: Of the choice, also the beginning of the names.
        ran: The statements that faults are put into; None: all.
    """
    tree = parse(program)
    sites: dict[str, list[_Site]] = {}
    for site in _sites(tree, ran):
        sites.setdefault(site[0], []).append(site)
    dice = random.Random(seed)
    found: list[Mutant] = []
    seen = {ast.unparse(tree)}
    while sites and len(found) < count:
        kind = dice.choice(sorted(sites))
        _, line, words, change = sites[kind].pop(dice.randrange(len(sites[kind])))
        if not sites[kind]:
            del sites[kind]
        undo = change()
        text = ast.unparse(ast.fix_missing_locations(tree))
        undo()
        if text not in seen:
            seen.add(text)
            found.append(Mutant(f"{seed}:{line} {words}", text))
    return found


def _statements(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]


def _blocks(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        if isinstance(block := getattr(node, field, None), list):
            yield block


def _sites(tree: ast.Module, ran: set[int] | None) -> Iterator[_Site]:
    place = {
        id(statement): (block, number)
        for node in ast.walk(tree)
        for block in _blocks(node)
        for number, statement in enumerate(block)
    }
    for number, statement in enumerate(_statements(tree)):
        if ran is not None and number not in ran:
            continue
        text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if isinstance(statement, DELETED) and not text:
            words = f"{_word(statement)} deleted"
            yield "delete", statement.lineno, words, _item(*place[id(statement)], ast.Pass())
        waiting: list[ast.AST] = [statement]
        while waiting:
            node = waiting.pop()
            if not (isinstance(node, ast.Call) and _called(node) in SETTINGS):
                yield from _sites_at(node)
                inside = ast.iter_child_nodes(node)
                waiting += [one for one in inside if not isinstance(one, ast.stmt)]


def _sites_at(node: ast.AST) -> Iterator[_Site]:
    if isinstance(node, ast.If | ast.IfExp) and node.orelse:
        yield "branches", node.lineno, "branches swapped", _swap(node)
    elif isinstance(node, ast.Compare):
        for number, op in enumerate(node.ops):
            if type(op) in OTHER:
                yield "compare", node.lineno, *_other(op, node.ops, number)
    elif isinstance(node, ast.BinOp | ast.AugAssign | ast.BoolOp):
        if type(node.op) in OTHER:
            kind = "join" if isinstance(node, ast.BoolOp) else "compute"
            yield kind, node.lineno, *_other(node.op, vars(node), "op")
    elif isinstance(node, ast.Constant) and type(node.value) is int:
        for by in (1, -1):
            change = _item(vars(node), "value", node.value + by)
            yield "constant", node.lineno, f"a constant {by:+}", change
    elif isinstance(node, ast.Call) and _called(node) == "range":
        for number, end in enumerate(node.args[:2]):
            for sign in (ast.Add(), ast.Sub()):
                words = f"range argument {number + 1} {_word(sign)} 1"
                yield "range", node.lineno, words, _item(node.args, number, _off(end, sign))
    elif isinstance(node, ast.Slice):
        for field in ("lower", "upper"):
            if (end := getattr(node, field)) is not None:
                change = _item(vars(node), field, _off(end, ast.Add()))
                yield "slice", end.lineno, f"slice's {field} Add 1", change


def _other(op: ast.AST, where: list | dict, key: int | str) -> tuple[str, _Change]:
    new = OTHER[type(op)]()
    return f"{_word(op)} becomes {_word(new)}", _item(where, key, new)


def _off(end: ast.expr, sign: ast.operator) -> ast.expr:
    return ast.BinOp(left=end, op=sign, right=ast.Constant(1))


def _called(call: ast.Call) -> str:
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def _word(thing: object) -> str:
    return type(thing).__name__


def _item(where: list | dict, key: int | str, new: object) -> _Change:
    at = cast(dict, where)

    def change() -> Callable[[], None]:
        old, at[key] = at[key], new
        return lambda: at.__setitem__(key, old)

    return change


def _swap(node: ast.If | ast.IfExp) -> _Change:
    fields = vars(node)

    def change() -> Callable[[], None]:
        fields["body"], fields["orelse"] = fields["orelse"], fields["body"]
        return lambda: fields.update(body=fields["orelse"], orelse=fields["body"])

    return change
