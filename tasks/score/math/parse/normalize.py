r"""Brings an answer to one spelling: what looks the same in print becomes the same text.

Unicode signs become LaTeX, wrappers ($...$, \\( \\), bold, quotes) and pure spacing go, variants of
a command (\\dfrac, \\tfrac; \\mbox, \\mathrm; \\leq, \\leqslant) become one. Nothing here changes a
value: units, percent and money are left for forms.py.
"""

from __future__ import annotations

import functools
import re

from tasks.score.math.limits import MAX_ANSWER, MAX_KEPT

_SIGNS = str.maketrans(
    {
        "−": "-", "–": "-", "—": "-", "﹣": "-", "－": "-",
        "×": "*", "·": "*", "⋅": "*", "∗": "*", "÷": "/", "⁄": "/",
        "π": r"\pi ", "∞": r"\infty ", "≤": r"\le ", "≥": r"\ge ", "≠": r"\ne ", "±": r"\pm ",
        "∪": r"\cup ", "∩": r"\cap ", "∈": r"\in ", "∅": r"\emptyset ", "≈": r"\approx ",
        "√": r"\sqrt ", "θ": r"\theta ", "α": r"\alpha ", "β": r"\beta ",
        "²": "^2", "³": "^3", "¹": "^1", "º": "°", "˚": "°",
        "½": r"\frac{1}{2}", "¼": r"\frac{1}{4}", "¾": r"\frac{3}{4}",
        "ℝ": r"\mathbb{R}", "∀": r"\forall ", "∃": r"\exists ", "；": ";", "∶": ":",
        "⅓": r"\frac{1}{3}", "⅔": r"\frac{2}{3}",
        "，": ",", "（": "(", "）": ")", "％": "%", "＝": "=", "＋": "+",
        "“": '"', "”": '"', "’": "'", "‘": "'", "\u00a0": " ", "\u2009": " ", "\u202f": " ",
        "\u200b": "", "\ufeff": "",
    }
)  # fmt: skip
_SIGNS.update({0xFF10 + digit: str(digit) for digit in range(10)})

_WRAPPERS = (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`"),
             ('"', '"'), ("'", "'"))  # fmt: skip
# What a wrapper begins with; most texts begin with none of it.
_OPENINGS = tuple({start[0] for start, _ in _WRAPPERS})
# A row break `\\` is matched first, so that its second stroke is not read as the space macro `\ `.
_SPACING = re.compile(r"\\\\|\\!\s*|\\[,;:>]|\\ |\\(?:quad|qquad|thinspace|,)(?![A-Za-z])|~")
_SIZES = re.compile(
    r"\\(?:left|right|[bB]ig{1,2}[lr]?|middle|displaystyle|textstyle|limits|phantom\s*\{[^{}]*\})"
    r"(?![A-Za-z])"
)
_FRACTION = re.compile(r"\\[dtc]frac(?![A-Za-z])")
_ACCENT = re.compile(r"\\(vec|hat|bar|tilde|overline|overrightarrow) ([A-Za-z])(?![A-Za-z])")
_TEXT = re.compile(
    r"\\(?:text(?:bf|it|rm|sf|tt|sc|normal)?|mbox|hbox|mathrm|mathbf|mathit|mathsf|operatorname)\s*\{"
)
# Functions and constants that are set upright, or have other names in Russian and German schools.
_NAMES = {
    "tg": "tan", "ctg": "cot", "cotg": "cot", "arctg": "arctan", "arcsin": "arcsin",
    "arccos": "arccos", "arctan": "arctan", "sh": "sinh", "ch": "cosh", "th": "tanh", "ln": "ln",
    "lg": "log_{10}", "log": "log", "exp": "exp", "sin": "sin", "cos": "cos", "tan": "tan",
    "cot": "cot", "sec": "sec", "csc": "csc", "cosec": "csc", "sinh": "sinh", "cosh": "cosh",
    "tanh": "tanh", "e": "e", "i": "i", "d": "d",
}  # fmt: skip
_UPRIGHT = re.compile(
    rf"(?<!\^)(?<!\^\{{)\\(?:text|mathrm|operatorname|mathsf)\s*\{{\s*({'|'.join(_NAMES)})\s*\}}(?=\s*([({{\\^_A-Za-z0-9]?))"
)
_OTHER_NAMES = re.compile(r"\\(tg|ctg|cotg|arctg|lg|cosec)(?![A-Za-z])")
_SETS = re.compile(
    r"\\(?:mathbf|bf|Bbb)\s*\{?\s*([ZNQR])\s*\}?(?![A-Za-z])"
    r"|(?<=\\in)\s*\\(?:mathbf|mathrm|bf|rm)\s*\{?\s*([ZNQRC])\s*\}?(?![A-Za-z])"
)
_LEADING = re.compile(r"^\\(?:therefore|Rightarrow|implies)(?![A-Za-z])\s*")
_ROMAN = re.compile(r"\\(?:mathrm|rm) ?([eid])(?![A-Za-z])")
_IDENTICALLY = re.compile(r"^([fgh])(?:\([a-z]\))?\s*\\equiv(?![A-Za-z])\s*(?!.*mod)")
# S_{\triangle ABC}, x_{\text{min}}, m_{\max}: an index is a name like any other.
_INDEX = re.compile(
    r"_\s*\{\s*(?:\\(?:text|mathrm|operatorname)\s*\{\s*([A-Za-z]{1,9})\s*\}"
    r"|\\(max|min)|\\triangle\s*([A-Z]{3,4}))\s*\}|_\s*\\(max|min)(?![A-Za-z])"
)
# C_5^2 and its kin are 5 over 2, as Russian and Chinese schools write it.
_COMBINATIONS = re.compile(
    r"(?<![A-Za-z\\])(?:\\(?:mathrm|text)\s*\{\s*C\s*\}|C)\s*(?:_\s*\{?\s*(\d{1,4})\s*\}?\s*\^\s*\{?\s*(\d{1,4})\s*\}?"
    r"|\^\s*\{?\s*(\d{1,4})\s*\}?\s*_\s*\{?\s*(\d{1,4})\s*\}?)"
)
# C(5,2) = 10
_COUNTED_WAYS = re.compile(r"^C\(\d{1,4}, ?\d{1,4}\)\s*=\s*(?=[^=,]*\d$)")
_ONLY = re.compile(
    r"\\text\s*\{\s*(?:only|just|exactly)\s*\}\s*|^(?:only|just)\s+(?=\S+$)", re.IGNORECASE
)
# {1,2} inside other brackets: \left\{ {1,2} \right\}.
_DOUBLED = re.compile(r"(\\\{|[(\[])\s*\{([^{}]*,[^{}]*)\}\s*(\\\}|[)\]])")
_PLUS = re.compile(r"(?<=[,(\[])\s*\+\s*(?=\\infty)|^\+\s*(?=\\infty)")
# 737/39 (about 18.9 cards), 1/2 (approximately 0.5): the same value a second time.
_ABOUT = re.compile(
    r"\s*(?:\\text\s*\{\s*)?\(\s*(?:\\text\s*\{)?\s*(?:approximately|approx\.?|about|roughly|\\approx)\s*\}?\s*"
    r"(-?\$?[\d.,]+)\s*(?:\\text\s*\{\s*)?[A-Za-z ]{0,30}\)?\s*\}?\s*\)?$"
)
# 1,20,000: thousands, and then pairs, as in India.
_LAKHS = re.compile(r"(?<![\d,.(\[{])\d{1,2}(?:,\d\d)+,\d{3}(?![\d,])")
# 1.234.567, as on the continent of Europe; 1.234 stays a decimal, and 1.234,5 no number.
_DOTTED_THOUSANDS = re.compile(r"(?<![\d.,])\d{1,3}(?:\.\d{3}){2,9}(?:,\d{1,9})?(?![\d.,])")
_SECONDS = re.compile(
    r"^(\d{1,2}:\d\d):00$|^(?:\\text\{)?(\d{1,2}):00(?=(?:\\text\{)?\s*[apAP]\.?[mM])"
)
_BELOW_ZERO = re.compile(r"^(?=\d)([\d.]+(?:°[CF]?| degrees?(?: [A-Za-z]+)?)?) below zero$")
_RESPECTIVELY = re.compile(r",?\s*(?:\\text\s*\{\s*,?\s*)?respectively\s*\}?\W*$")
_REPEATED = re.compile(
    r"(?<![\d.])(\d{0,40}\.\d{0,40}?)(\d)\2{1,40}\s*(?:\\text\{\s*\(?(?:repeating|recurring)\)?\s*\}|\((?:repeating|recurring)\)|(?:repeating|recurring))"
)
_DEGREE = re.compile(r"\^\s*+(?:\{\s*+)?\\circ\s*\}?|\\degree(?![A-Za-z])|\\textdegree(?![A-Za-z])")
_COMMANDS = {
    r"\leq": r"\le", r"\leqslant": r"\le", r"\geq": r"\ge", r"\geqslant": r"\ge", r"\neq": r"\ne",
    r"\cdot": "*", r"\times": "*", r"\div": "/", r"\lbrace": r"\{", r"\rbrace": r"\}",
    r"\lt": "<", r"\gt": ">", r"\varnothing": r"\emptyset", r"\dots": r"\ldots", r"\colon": ":",
    r"\lvert": "|", r"\langle": "(", r"\rangle": ")", r"\bigcup": r"\cup",
     r"\rvert": "|", r"\vert": "|", r"\infin": r"\infty",
}  # fmt: skip
_COMMAND = re.compile(r"\\[A-Za-z]+")
_ROW_SPACE = re.compile(r"(?<=\\\\)\[-?[\d.]{1,6} ?(?:pt|em|ex|mm|cm)\]")
_BOLD = re.compile(r"\\(?:boldsymbol|bm)(?![A-Za-z])")
_CHOOSE = re.compile(r"\{([^{}\\]*)\\choose(?![A-Za-z])([^{}\\]*)\}")
_TYPED = re.compile(r"<=|=<|>=|!=|\\not\s*=|(?<=[\w)}])\s*\*\*\s*(?=[\w({-])")
_TYPED_SIGNS = {"<=": r"\le ", "=<": r"\le ", ">=": r"\ge ", "!=": r"\ne ", "**": "^"}
# A text that was escaped twice: no row of a matrix starts with one of these commands.
_TWICE = re.compile(
    r"^(?!.*(?<!\\)\\begin).*\\\\(?:begin|left|right|[dt]?frac|sqrt|text|pi|infty|cdot|times|cup)(?![A-Za-z])",
    re.DOTALL,
)
# A formula in the middle of an answer. As in Markdown, `$` before a digit opens: `$5 or $10` is
# money. A row break is matched first, so that its second stroke opens nothing.
_INLINE = re.compile(
    r"\\\\|(?<!\\)\$((?:\\.|[^$\\])+)\$(?!\d)|\\\(((?:[^\\]|\\[^()])+)\\\)", re.DOTALL
)
# Over which values a letter runs, after the answer: "for all real x", "where k is an integer".
_CONDITION = re.compile(
    r"(?<=\S)\s*[,;]?\s*(?:\\text\s*\{\s*)?[,(]?\s*\b(?:for (?:all|any|every|each|some)|where)\b"
    r"[^=<>\d]{0,60}?(?:integers?|numbers?|reals?|constants?|\\mathbb\s*\{?[ZNQRC]\}?"
    r"|(?<![A-Za-z])[A-Za-z])[\s})$.]*$"
    r"|(?<=\S)\s*[,;(]?\s*(?:\\text\s*\{\s*)?(?:for (?:all|any|every)\s*\}?|\\forall(?![A-Za-z]))"
    r"\s*\$?[a-z]\s*(?:(?:\\(?:ge|geq|geqslant)|≥|>)\s*[01]|\\in\s*\\mathbb\s*\{?[ZNQR]\}?[^=\s]{0,12})[\s})$.]*$"
    r"|(?<=\S)\s*(?:[,;(]|\\q?quad|\s)\s*\$?[a-z](?:\s*,\s*[a-z])*\s*(?:\\in(?![A-Za-z])|∈)\s*"
    r"(?:\\math(?:bb|bf|rm)\s*\{?\s*[ZNQRC]\s*\}?|[ℤℕℚℝℂZNQR](?![A-Za-z]))(?:\^?\{?[+*]\}?)?[\s})$.]*$"
)
_INSIDE_OUT = re.compile(r"(?<!\\)\$\s*,?\s*(and|or)\s*\$")
_RUNS = re.compile(r"\s{2,}+")
# Spaces that say nothing: not those between two words, nor between two numbers.
_NO_SPACE = re.compile(r"(?<!\d)\s+(?![A-Za-z])|(?<![A-Za-z\d])\s+|(?<=\d)\s+(?!\d)")
_DATE = re.compile(r"^[A-Za-z]{3,9} ?\d{1,4}$")
_ONE_ARGUMENT = re.compile(r"\{([A-Za-z0-9])\}")


def calm(text: str) -> str:
    """A text with runs of white space cut short: one space, one line break, or one empty line.

    Many patterns look for optional space in several places, and a run of a thousand would cost
    them the square or the cube of that. It says nothing either.
    """
    return _RUNS.sub(_run, text)


def _run(match: re.Match[str]) -> str:
    lines = match.group().count("\n")
    return " " if not lines else "\n" if lines == 1 else "\n\n"


def canonical(text: str) -> str:
    """One spelling for an answer; spaces are kept single, case is kept."""
    text = calm(text.strip())
    if len(text) > MAX_ANSWER:
        return text
    return _canonical(text) if len(text) <= MAX_KEPT else _canonical.__wrapped__(text)


@functools.lru_cache(maxsize=1 << 14)
def _canonical(text: str) -> str:
    if r"\\" in text and _TWICE.search(text):
        text = text.replace(r"\\", "\\")
    text = unwrap(text.translate(_SIGNS))
    if "$" in text or "\\(" in text:
        text = _INLINE.sub(_inlined, _INSIDE_OUT.sub(r" \1 ", text))
    if text.startswith("C("):
        text = _COUNTED_WAYS.sub("", text)
    if "C" in text and "^" in text:
        text = _COMBINATIONS.sub(_combinations, text)
    if "\\" in text or "~" in text:
        text = _latex(text)
    if "=" in text or "**" in text:
        text = _TYPED.sub(lambda sign: _TYPED_SIGNS.get(sign.group().strip(), r"\ne "), text)
    text = text.replace("{,}", ",")
    text = _numbers(text)
    return unwrap(" ".join(text.split()))


def key(text: str) -> str:
    """The form in which two canonical answers are compared as text: no spaces, `{a}` as `a`.

    Words are compared whatever their case; single letters (variables, choices) are not.
    """
    if len(text) > MAX_ANSWER:
        return text
    return _key(text) if len(text) <= MAX_KEPT else _key.__wrapped__(text)


@functools.lru_cache(maxsize=1 << 14)
def _key(text: str) -> str:
    bare = _NO_SPACE.sub("", text) if " " in text else text
    bare = _ONE_ARGUMENT.sub(r"\1", bare) if "{" in bare else bare
    return bare.casefold() if is_words(bare) else bare


def is_words(text: str) -> bool:
    """Whether a text is words alone (a name, a day), so that case says nothing."""
    plain = text.replace(r"\text{", "").replace("}", "")
    if _DATE.match(plain):
        return True
    return len(plain) > 2 and "\\" not in plain and all(c.isalpha() or c in " .'-" for c in plain)


def unwrap(text: str) -> str:
    """Remove wrappers around the whole text, and punctuation that ends a sentence."""
    while True:
        before = text
        text = text.strip()
        if text.endswith((".", ",", ";")) and not text.endswith((r"\,", r"\;", "...")):
            text = text[:-1].rstrip()
        if text.endswith("\\") and not text.endswith("\\\\"):
            text = text[:-1]  # a stroke with nothing after it
        for start, end in _WRAPPERS if text[:1] in _OPENINGS else ():
            size = len(start) + len(end)
            if len(text) > size and text.startswith(start) and text.endswith(end):
                inner = text[len(start) : -len(end)]
                marks = inner.replace(r"\$", "")  # money inside a formula is no end of it
                if start not in marks and end not in marks and not inner.endswith("\\"):
                    text = inner
        if text == before:
            return text


def unconditional(text: str) -> str:
    """An answer without the words after it that only say what its letters stand for."""
    if not any(word in text for word in ("for ", "where", r"\in", "∈", r"\forall")):
        return text
    match = _CONDITION.search(text) if len(text) <= MAX_ANSWER else None
    rest = text[: match.start()].rstrip(" ,;") if match else ""
    return rest + "$" * (rest.count("$") % 2 and not rest.startswith("$" * 2)) if rest else text


def _inlined(match: re.Match[str]) -> str:
    inner = match.group(1) or match.group(2)
    return f" {inner.strip()} " if inner else match.group()


def _latex(text: str) -> str:
    text = _SPACING.sub(_space, text)
    text = _BOLD.sub("", _SIZES.sub("", _ROW_SPACE.sub("", text)))
    text = _ACCENT.sub(r"\\\1{\2}", _FRACTION.sub(r"\\frac", text))
    if "_" in text:
        text = _INDEX.sub(lambda m: f"_{{{next(filter(None, m.groups()))}}}", text)
    if any(command in text for command in (r"\text", r"\math", r"\op", r"\bf", r"\rm", r"\Bbb")):
        text = _ROMAN.sub(r"\1", text)
        text = _UPRIGHT.sub(_upright, _SETS.sub(r"\\mathbb{\1\2}", text))
    if any(name in text for name in ("tg", r"\lg", "cosec")):
        text = _OTHER_NAMES.sub(lambda m: f"\\{_NAMES[m[1]]}", text)
    if r"\equiv" in text:
        text = _IDENTICALLY.sub(r"\1(x)=", text)
    if text.startswith((r"\therefore", r"\Rightarrow", r"\implies")):
        text = _LEADING.sub("", text)
    text = _CHOOSE.sub(r"\\binom{\1}{\2}", text)
    text = _TEXT.sub(r"\\text{", text)
    text = _DEGREE.sub("°", text)
    if "{" in text and "," in text:
        text = _DOUBLED.sub(r"\1\2\3", text)
    text = text.replace(r"\%", "%").replace(r"\$", "$")
    return _COMMAND.sub(lambda match: _COMMANDS.get(match.group(), match.group()), text)


def _numbers(text: str) -> str:
    """Numbers that are written in other ways, and what is said of them beside.

    Each rule looks for a sign of its own first: most answers have none.
    """
    if ":00" in text:
        text = _SECONDS.sub(lambda m: m[1] or m[2], text)
    if text.endswith("/-"):
        text = text[:-2]  # rupees
    if "below zero" in text:
        text = _BELOW_ZERO.sub(r"-\1", text)
    if "respectively" in text:
        text = _RESPECTIVELY.sub("", text)
    if "(" in text and any(word in text for word in ("approx", "about", "roughly")):
        text = _ABOUT.sub(r" \\approx \1", text)
    if "repeating" in text or "recurring" in text:
        text = _REPEATED.sub(r"\1\\overline{\2}", text)
    if "," in text:
        text = _LAKHS.sub(lambda m: m.group().replace(",", ""), text)
    if text.count(".") > 1:
        text = _DOTTED_THOUSANDS.sub(_undotted, text)
    if "+" in text and r"\infty" in text:
        text = _PLUS.sub("", text)
    if any(word in text for word in ("only", "just", "exactly", "Only")):
        text = _ONLY.sub("", text)
    return text


def _undotted(match: re.Match[str]) -> str:
    whole, _, part = match.group().partition(",")
    return whole.replace(".", "") + (f".{part}" if part else "")


def _upright(match: re.Match[str]) -> str:
    name = _NAMES[match.group(1)]
    if match.group(1) == "th" and match.string[: match.start()].rstrip()[-1:].isdigit():
        return match.group()  # 7th
    if len(name) == 1:  # a constant; as one of several words it stays text
        return name
    return f"\\{name} "


def _combinations(match: re.Match[str]) -> str:
    n, k = (match[1], match[2]) if match[1] else (match[4], match[3])
    return rf"\binom{{{n}}}{{{k}}}" if int(n) >= int(k) else match.group()


def _space(match: re.Match[str]) -> str:
    macro = match.group()
    if macro == r"\\":
        return macro
    return "" if macro.startswith(r"\!") else " "
