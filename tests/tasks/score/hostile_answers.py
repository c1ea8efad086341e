"""Generators of hostile answers: each class of attack is a function of a seeded draw."""

import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

Draw = random.Random

# What mutations start from where the real answers are not at hand.
HONEST = [
    r"\frac{3}{4}", "-12", "3.14", r"2\sqrt{3}", r"x^2 - 4x + 4", "(1, 2)", "[0, 5)",
    r"\{1, 2, 3\}",
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}", r"(-\infty, 3] \cup (5, \infty)", "1,234",
    r"15\text{ cm}^2", r"50\%", r"90^\circ", r"\text{Tuesday}", "11_{2}", r"\$4.50", "x = 3, y = 4",
    r"\frac{\pi}{6}", r"1 \pm \sqrt{2}", r"3 \le x < 7", r"2\frac{1}{2}", r"0.\overline{3}", "(C)",
    r"\binom{10}{3}", r"5!", r"\sin^2 x + \cos x", "3 : 4", "6 - 5i", r"y = 2x + 3", "x + 4 = 7",
]  # fmt: skip
PIECES = [
    *"0123456789abexyiUAB+-*/^_=<>!%,;:.|()[]{}$\\&~'\"` \n\t\r\0", r"\frac", r"\dfrac", r"\sqrt",
    r"\text{", r"\boxed{", r"\left(", r"\right)", r"\begin{pmatrix}", r"\end{pmatrix}", r"\\",
    r"\pi",
    r"\infty", r"\cup", r"\le", r"\pm", r"\{", r"\}", r"\log_", r"\sin", r"\binom", r"\overline{",
    r"\circ", r"\choose", r"\int_0^1", r"\sum_{n=1}^{9}", r"\lim", r"\cdot", "{,}", "\u00bd",
    "\u221a", "\u2212", "\u00b2", "\u0661", "answer is ", "####", " and ", " or ", "base ", "cm",
]  # fmt: skip
UNICODE = [(0x20, 0x7F), (0xA0, 0x250), (0x370, 0x6FF), (0x2000, 0x2BFF), (0xD800, 0xDFFF),
           (0xFE00, 0xFFFF), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF),
           (0xE0000, 0xE007F)]  # fmt: skip


def seeds() -> list[str]:
    """The real reference answers where there are any, else our own list."""
    path = Path(os.environ.get("RESTEM_DATA") or ".") / "math_answers.jsonl.gz"
    if not path.is_file():
        return HONEST
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return sorted({row["answer"] for row in map(json.loads, lines)} - {""})


def size(draw: Draw, most: int) -> int:
    """From 1 to `most`, every order of magnitude as likely as another."""
    return int(most ** draw.random())


def number(draw: Draw) -> str:
    return str(draw.randint(0, 10 ** draw.randint(1, 9)))


def nested(draw: Draw, left: str, right: str, most: int, core: str = "") -> str:
    depth = size(draw, most)
    closed = depth if draw.random() < 0.7 else draw.randint(0, depth)
    return left * depth + (core or number(draw)) + right * closed


def towers(draw: Draw) -> str:
    base = [number(draw)[:3] for _ in range(draw.randint(2, 12))]
    return draw.choice(
        ["^".join(base), "^{".join(base) + "}" * (len(base) - 1), "^(".join(base) + ")" * len(base),
         "**".join(base), f"(x+{base[0]})^{{{base[1]}{base[0]}}}", f"{base[0]}^{{-{number(draw)}}}"]
    )  # fmt: skip


def factorials(draw: Draw) -> str:
    n = number(draw)
    return draw.choice(
        [f"{n}!", "(" * 9 + n[:2] + "!)" * 9, f"{n[:4]}!/{number(draw)[:4]}!", n[:1] + "!" * 9,
         rf"\binom{{{n}}}{{{number(draw)}}}", rf"\frac{{{n[:4]}!}}{{(x-{n[:2]})!}}",
         "+".join(f"{k}!" for k in range(2400, 2400 + size(draw, 100)))]
    )  # fmt: skip


def roots_and_logs(draw: Draw) -> str:
    left, right = draw.choice(
        [(r"\sqrt{", "}"), (r"\sqrt[3]{1+", "}"), (r"\log_{2}(", ")"), (r"\ln(x+", ")"),
         (r"\sin(", ")"), (r"\sqrt{2+\sqrt{3+", "}}"), (r"e^{\ln ", "}"), ("|", "|")]
    )  # fmt: skip
    return nested(
        draw, left, right, draw.choice([6, 30, 2000]), draw.choice(["x", "2", "-1", "pi"])
    )


def fractions(draw: Draw) -> str:
    left, right = draw.choice(
        [(r"\frac{1}{1+", "}"), (r"\frac{", "}{3}"), ("1/(2+", ")"), (r"\frac1", ""),
         (r"2\frac1", ""), (r"1\frac{1}{", "}"), (r"\dfrac{x}{x+", "}")]
    )  # fmt: skip
    return nested(draw, left, right, draw.choice([10, 70, 5000]), draw.choice(["x", "2", "0"]))


def digits(draw: Draw) -> str:
    count = size(draw, 3_000_000)
    unit = draw.choice(["9", "1,000", "0", "1 000", "12.", "1/", "-1", "1e", "٣", "0."])
    return (unit * (count // len(unit) + 1))[:count] + draw.choice(
        ["", "/3", "!", "%", r"\pi", "x"]
    )


def brackets(draw: Draw) -> str:
    left, right = draw.choice(
        ["()", "[]", "{}", ("\\{", "\\}"), ("(-", ")"), ("{(", ")}"), ("([", "])"), ("(1,", ")")]
    )
    return nested(draw, left, right, draw.choice([30, 1000, 100_000]))


def regex_bait(draw: Draw) -> str:
    unit = draw.choice([*PIECES, " ", "a ", "1 ", "x,", "\\\\[", "x y ", "1/2 ", "sq ", "a."])
    count = size(draw, draw.choice([400, 4000, 300_000]))
    return draw.choice(PIECES) + unit * (count // len(unit) + 1) + draw.choice([*PIECES, "!", "\n"])


def payloads(draw: Draw, target: str) -> str:
    code = draw.choice(
        [f"open('{target}','w').write('1')", f"__import__('os').system('touch {target}')",
         "__import__('restem_canary')", "__import__('os')._exit(0)", "exit()", "quit()",
         f"exec(\"import restem_canary\") or open('{target}','w')",
         "[c for c in ().__class__.__base__.__subclasses__()][99]('restem_canary')",
         "(lambda: __import__('restem_canary'))()", "import restem_canary", "1 .__class__",
         f"eval(compile('open(\"{target}\",\"w\")','','eval'))", rf"\input{{{target}}}",
         rf"\write18{{touch {target}}}", rf"\immediate\openout\x={target}"]
    )  # fmt: skip
    frame = draw.choice(
        ["{}", "x+{}", r"\frac{{{}}}{{1}}", r"\sqrt{{{}}}", "1;{}", "[{},1]", "{}=1", "'+{}+'",
         r"\text{{{}}}", "f({})", "x_{{{}}}", r"\operatorname{{{}}}(1)", "```python\n{}\n```"]
    )  # fmt: skip
    return frame.format(code)


def bad_bytes(draw: Draw) -> str:
    raw = draw.randbytes(size(draw, 2000))
    if draw.random() < 0.5:
        return draw.choice(HONEST) + raw.decode("utf-8", "surrogateescape")
    return raw.decode("latin-1") + draw.choice(["\0", "\ud800", "\udfff1", "\x1b[2J", "\u202e1"])


def unbalanced(draw: Draw) -> str:
    return "".join(draw.choice(PIECES) for _ in range(size(draw, 300)))


def mutations(draw: Draw) -> str:
    text = draw.choice(_SEEDS)
    for _ in range(draw.randint(1, 6)):
        at, end = sorted(draw.randint(0, len(text)) for _ in range(2))
        text = draw.choice(
            [text[:at] + draw.choice(PIECES) + text[at:], text[:at] + text[end:],
             text[:at] + text[at:end] * 3 + text[end:],
             text[:at] + draw.choice(_SEEDS) + text[end:],
             text[:at] + text[at:end][::-1] + text[end:]]
        )  # fmt: skip
    return text[:5000]


def unicode_soup(draw: Draw) -> str:
    signs = [chr(draw.randint(*draw.choice(UNICODE))) for _ in range(size(draw, 3000))]
    return "".join(signs) + draw.choice(["", "1", "½", "√2", "x²", "１２"])


def matrices(draw: Draw) -> str:
    name = draw.choice(["pmatrix", "bmatrix", "array", "matrix", "cases"])
    rows, columns = size(draw, 300), size(draw, 300)
    cell = draw.choice(
        ["1", "x+1-1", r"\frac{1}{2}", "", "2500!", r"\begin{pmatrix}1\end{pmatrix}"]
    )
    body = r"\\".join(["&".join([cell] * columns)] * rows)[:200_000]
    return rf"\begin{{{name}}}{body}" + rf"\end{{{name}}}" * draw.randint(0, 2)


def long_sums(draw: Draw) -> str:
    count = size(draw, draw.choice([60, 300, 30_000]))
    terms = draw.choice(
        [["x"], ["x+y", "(x-y)^{9}"], ["1", "2", "3"], [r"\sqrt{2}", r"\sqrt{3}"], ["1/(x+1)"],
         ["(a+b)", "(a-b)"], [r"\sin x", r"\cos y"], ["2^{x}", "3^{y}"]]
    )  # fmt: skip
    return draw.choice(["+", "-", "", "*", "/"]).join(draw.choice(terms) for _ in range(count))


def lists(draw: Draw) -> str:
    count = size(draw, draw.choice([64, 64, 5000]))
    unit = draw.choice(
        ["{}", "x+{0}-{0}", r"\sqrt{{{}}}", "x={}", "({},1)", "{}!", "x<{}", r"{}\pm 1"]
    )
    parts = [unit.format(draw.randint(0, 99)) for _ in range(count)]
    return draw.choice([",", ", ", " and ", r"\cup ", ";", "=", "<"]).join(parts)


def boxes(draw: Draw) -> str:
    inner = draw.choice([r"\boxed{", r"\boxed{\text{", r"\fbox{", r"{\boxed ", r"\boxed{1}\boxed{"])
    return "So " * size(draw, 9) + nested(draw, inner, "}", draw.choice([5, 20_000])) + " end"


def sets(draw: Draw) -> str:
    """Sets of sets of numbers, in any order."""

    def one(depth: int) -> str:
        if not depth:
            return draw.choice(["1", "2", "x", r"\pi", "x-x+1"])
        parts = [one(depth - 1) for _ in range(draw.randint(1, 6 if depth < 4 else 2))]
        return r"\{" + ",".join(parts) + r"\}"

    return one(draw.choice([1, 2, 3, 4, 9]))[: draw.choice([900, 100_000])]


def calculus(draw: Draw) -> str:
    """What only the LaTeX library reads, and sympy might then work at."""
    body = draw.choice(["x^{x}", r"\frac{1}{n^2}", r"\sin(x^9)", "e^{-x^2}", "n!", r"\ln(\ln x)"])
    frame = draw.choice(
        [r"\int_0^1 {} dx", r"\int {} dx", r"\sum_{{n=1}}^{{\infty}} {}",
         r"\prod_{{n=1}}^{{99}} {}",
         r"\lim_{{x \to 0}} {}", r"\frac{{d}}{{dx}} {}", r"\int_0^1\int_0^1 {} dx dy",
         r"\sum_{{n=1}}^{{999999999}} {}", r"\lfloor {} \rfloor", r"{} \mod 7"]
    )  # fmt: skip
    return frame.format(body)


CLASSES: dict[str, Callable[[Draw], str]] = {
    one.__name__: one
    for one in (
        towers, factorials, roots_and_logs, fractions, digits, brackets, regex_bait, bad_bytes,
        unbalanced, mutations, unicode_soup, matrices, long_sums, lists, boxes, sets, calculus,
    )
}  # fmt: skip
_SEEDS = seeds()
