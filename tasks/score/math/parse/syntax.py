"""Our own reader of answers: LaTeX or plain text → a small tree, never evaluated as code.

The tree is tuples: ("num", Fraction), ("sym", name), ("const", "pi" | "e" | "i" | "oo"),
("add" | "mul" | "div" | "pow", a, b), ("neg", a), ("fact", a), ("root", a, degree),
("fn", name, argument), ("log", base, argument), ("binom", n, k).
`read` gives None for what it does not know; it raises `Refused` for what is over a limit.

Not covered: integrals, sums, limits, logic, sets (forms.py takes sets and intervals apart).
"""

from __future__ import annotations

import functools
import re
from fractions import Fraction
from typing import Any

from tasks.score.math.limits import MAX_DEPTH, MAX_DIGITS, MAX_LENGTH, MAX_WORD

Tree = tuple[Any, ...]


def parts_of(tree: Tree) -> list[Tree]:
    """The trees that a tree is made of."""
    return [part for part in tree[1:] if isinstance(part, tuple)]


_TOKEN = re.compile(r"\s+|\d+(?:\.\d+)?|\.\d+|\\[A-Za-z]+|[A-Za-z]+|.", re.DOTALL)
_GREEK = frozenset(
    ("alpha", "beta", "gamma", "delta", "epsilon", "theta", "lambda", "mu", "rho", "sigma", "tau",
     "phi", "varphi", "psi", "omega", "Delta", "Theta", "Lambda", "Phi", "Psi", "Omega")
)  # fmt: skip
_FUNCTIONS = frozenset(
    ("sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh", "cosh",
     "tanh", "ln", "log", "exp")
)  # fmt: skip
_DIFFERENTIALS = (["{", "dx"], ["{", "dt"])
_INVERSES = frozenset(("sin", "cos", "tan"))
_CLOSERS = {"(": ")", "{": "}", "[": "]"}


class Refused(Exception):
    """The answer is over one of the checker's limits."""


class _Unknown(Exception):
    """Not in this small language."""


@functools.lru_cache(maxsize=4096)
def read(text: str) -> Tree | None:
    """The tree of a canonical expression, or None where it is not one that we know.

    Raises:
        Refused: longer, deeper or with more digits than the limits.
    """
    if len(text) > MAX_LENGTH:
        raise Refused(f"longer than {MAX_LENGTH} characters")
    tokens = [t for t in _TOKEN.findall(text) if not t.isspace()]
    reader = _Reader(tokens)
    try:
        tree = reader.sum()
    except _Unknown:
        return None
    return tree if reader.at == len(tokens) else None


class _Reader:
    """Recursive descent over the tokens of one expression."""

    def __init__(self, tokens: list[str]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0
        self.powered = -1  # where the last power ended
        self.unmixed: set[int] = set()  # where a fraction was tried and makes no mixed number

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        token = self.peek()
        self.at += 1
        return token

    def expect(self, token: str) -> None:
        if self.take() != token:
            raise _Unknown

    def sum(self) -> Tree:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise Refused(f"nested deeper than {MAX_DEPTH}")
        tree: Tree = self.product()
        while self.peek() in ("+", "-"):
            if self.take() == "+":
                tree = ("add", tree, self.product())
            else:
                tree = ("add", tree, ("neg", self.product()))
        self.depth -= 1
        return tree

    def product(self) -> Tree:
        tree: Tree = self.signed()
        while True:
            token = self.peek()
            if token == "*":
                self.take()
                if self.peek() == "*":  # a**b, as programmers write powers
                    raise _Unknown
                tree = ("mul", tree, self.signed())
            elif token == "/":
                self.take()
                tree = ("div", tree, self.signed())
            elif (
                token
                and self.starts_atom(token)
                and (
                    not _is_number(token)
                    or self.tokens[self.at - 1] == "!"  # 4!5! is a product
                    or self.powered == self.at  # so is 2^6 3^5
                )
            ):
                tree = ("mul", tree, self.power())
            else:
                return tree

    def signed(self) -> Tree:
        negative = False
        while self.peek() in ("+", "-"):
            negative ^= self.take() == "-"
        tree = self.power()
        return ("neg", tree) if negative else tree

    def power(self) -> Tree:
        tree: Tree = self.postfix()
        if self.peek() == "^":
            self.take()
            exponent = self.argument()
            tree = ("pow", tree, exponent)
            self.powered = self.at
            if self.peek() == "^":  # a^b^c is not LaTeX and is read in two ways
                raise _Unknown
        return tree

    def postfix(self) -> Tree:
        tree: Tree = self.atom()
        while self.peek() in ("!", "°", "%"):
            mark = self.take()
            if mark == "!":
                if self.peek() == "!":  # a double factorial is not a factorial twice
                    raise _Unknown
                tree = ("fact", tree)
            elif mark == "°":
                tree = ("mul", tree, ("div", ("const", "pi"), ("num", Fraction(180))))
            else:
                tree = ("div", tree, ("num", Fraction(100)))
        return tree

    def argument(self) -> Tree:
        """What a command or a power takes: a group, or one token (2^{10}, 2^10, x^-1)."""
        if self.peek() in ("{", "("):
            return self.group()
        if self.peek() == "-":
            self.take()
            return ("neg", self.argument())
        return self.atom()

    def digit(self) -> Tree:
        r"""An argument of \\frac or \\sqrt: \\frac12 is 1/2, so one digit of a longer number."""
        token = self.peek()
        if token.isdigit() and len(token) > 1:
            self.tokens[self.at] = token[1:]
            return _number(token[0])
        if len(token) > 1 and token.isalpha():
            self.tokens[self.at] = token[1:]
            return self.name(token[0])
        return self.group() if token == "{" else self.atom()

    def group(self) -> Tree:
        closer = _CLOSERS[self.take()]
        tree = self.sum()
        self.expect(closer)
        return tree

    def starts_atom(self, token: str) -> bool:
        if token[0] == "\\":
            return token[1:] in _GREEK or token[1:] in _FUNCTIONS or token in _ATOM_COMMANDS
        return token in ("(", "{") or (token.isascii() and token.isalpha()) or _is_number(token)

    def atom(self) -> Tree:
        token = self.peek()
        if token in ("(", "{", "["):
            return self.group()
        self.take()
        if _is_number(token):
            number = _number(token)
            return self.mixed(number) if self.peek() == "\\frac" and token.isdigit() else number
        if token == "|":
            tree = self.sum()
            self.expect("|")
            return ("fn", "abs", tree)
        if token.startswith("\\"):
            return self.command(token[1:])
        if token.isascii() and token.isalpha():  # words of other scripts are no products
            return self.word(token)
        raise _Unknown

    def mixed(self, whole: Tree) -> Tree:
        r"""1\\frac{1}{2}: a whole number before a proper fraction of digits is a mixed number."""
        # Each is tried once: 1\frac1\frac1... would otherwise double the work at every step.
        if self.at in self.unmixed:
            return whole
        start, tokens = self.at, list(self.tokens)
        self.take()
        top, bottom = self.digit(), self.digit()
        if top[0] == "num" and bottom[0] == "num" and 0 < top[1] < bottom[1]:
            return ("add", whole, ("div", top, bottom))
        self.unmixed.add(start)
        self.at, self.tokens = start, tokens
        return whole

    def command(self, name: str) -> Tree:
        if name == "frac":
            top = self.digit()
            if top == ("sym", "d") and self.tokens[self.at : self.at + 2] in _DIFFERENTIALS:
                raise _Unknown  # a derivative
            return ("div", top, self.digit())
        if name == "sqrt":
            return self.root()
        if name == "binom":
            top = self.digit()
            return ("binom", top, self.digit())
        if name == "pi":
            return ("const", "pi")
        if name == "infty":
            return ("const", "oo")
        if name in _FUNCTIONS:
            return self.function(name)
        if name in _GREEK:
            return self.name(name)
        raise _Unknown

    def word(self, word: str) -> Tree:
        if word == "sqrt":
            return self.root()
        if word == "pi":
            return ("const", "pi")
        if word in ("infty", "inf", "infinity", "oo"):
            return ("const", "oo")
        if word in _FUNCTIONS:
            return self.function(word)
        if len(word) > MAX_WORD or word in ("of", "or", "if", "is", "in", "not"):
            raise _Unknown
        if len(word) > 1:  # xy is x·y: leave the rest for the next factor
            self.at -= 1
            self.tokens[self.at] = word[1:]
        return self.name(word[0])

    def name(self, name: str) -> Tree:
        if self.peek() == "_":
            self.take()
            if self.peek() == "{":
                self.take()
                index = self.take()
                self.expect("}")
            else:
                index = self.take()
            if not index.isalnum():
                raise _Unknown
            return ("sym", f"{name}_{index}")
        return ("const", name) if name in ("e", "i") else ("sym", name)

    def root(self) -> Tree:
        degree: Tree = ("num", Fraction(2))
        if self.peek() == "[":
            degree = self.group()
        inner = self.group() if self.peek() in ("{", "(") else self.digit()
        return ("root", inner, degree)

    def function(self, name: str) -> Tree:
        base = power = None
        if name == "log" and self.peek() == "_":
            self.take()
            base = self.digit()
        if self.peek() == "^":
            self.take()
            power = self.argument()
            if power == ("neg", ("num", Fraction(1))) and name in _INVERSES:
                name, power = f"arc{name}", None  # sin^{-1} x is arcsin x
            elif power[0] == "neg":
                raise _Unknown
        inner = self.group() if self.peek() in ("(", "{") else self.factors()
        tree: Tree = ("log", base, inner) if base is not None else ("fn", name, inner)
        return ("pow", tree, power) if power is not None else tree

    def factors(self) -> Tree:
        r"""The argument of a function without brackets: \\sin 5x \\cos x is sin(5x)·cos(x)."""
        tree = self.power()
        while (token := self.peek()) and self.starts_atom(token) and not _is_number(token):
            if token.lstrip("\\") in _FUNCTIONS or token in ("(", "{"):
                break
            tree = ("mul", tree, self.power())
        return tree


_ATOM_COMMANDS = frozenset((r"\frac", r"\sqrt", r"\pi", r"\binom", r"\infty"))


def _is_number(token: str) -> bool:
    return token[:1].isdigit() or (token[:1] == "." and len(token) > 1)


def _number(token: str) -> Tree:
    if len(token) > MAX_DIGITS:
        raise Refused(f"a number of more than {MAX_DIGITS} digits")
    if not token.isascii():
        raise _Unknown
    return ("num", Fraction(token))
