r"""Finds the final answer in what a model, or a data set, wrote.

Order, the first that applies:
1. the content of the last `\\boxed{}`, or of the boxes that are one answer with it (boxes.py);
2. what follows the last `####` on its line (GSM8K);
3. what follows the last "answer is" / "answer:" in its sentence;
4. the final line: whole where it reads as an answer, else its last formula, its last number, or
   the name that it ends with ("... is Evelyn.");
5. the last number of the text.
A text of one line without words is a bare answer and stands for itself; so does a reference that
is neither marked nor a solution by its length. Every rule is one pass over the text, so a long
text costs time in proportion to its length.

Not covered: answers given only in words in the middle of prose.
"""

from __future__ import annotations

import re
from collections import deque

from tasks.score.math.extract.boxes import boxed
from tasks.score.math.extract.languages import translated
from tasks.score.math.extract.unfinished import finished
from tasks.score.math.limits import (
    MAX_BETWEEN,
    MAX_BOXES,
    MAX_DISPLAY_TAIL,
    MAX_LINE,
    MAX_SOLUTION,
    MAX_TAIL,
)
from tasks.score.math.parse.normalize import calm, unconditional
from tasks.score.math.parse.spoken import changed, changes, last_spoken, spoken_whole

# A line with so many words is a sentence about the answer, not the answer ("two lines" has two).
PROSE_WORDS = 4

_ANSWER_TAG = re.compile(r"<answer>(.{0,2000}?)</answer>", re.DOTALL | re.IGNORECASE)
_ANSWER_IS = re.compile(
    r"\b(?:choose|pick|select)(?: option| choice)?(?=\s+\(?[A-J]\b)"
    r"|\b(?:answer|correct (?:option|choice))(?:\**\s+is(?:\s+that)?|\**\s*[:=]|s\s+are"
    r"|\s*(?=\$|\\\(|\\\[))\s*:?\**",
    re.IGNORECASE,
)
# "#### Final answer" is a heading: the answer is below it.
_VALUE = re.compile(r"\d|^\W*[A-J]\W*$|^\s*(?:\$|\\[(\[]|\\[a-z])")
# Lines that end a proof and say nothing.
_PROOF_ENDS = re.compile(
    r"(?:\s*\n\s*(?:[^\w\s$\\)\]}]{1,3}|\*{0,2}Q\.?E\.?D\.?\*{0,2}))+\s*$|\s*[□■∎]\s*$"
)
_ROW = re.compile(r"^\|.*\|\s*([^|]*[^|\s][^|]*?)\s*\|$")
_HEADING = re.compile(r"^\W*(?:the\s+)?(?:final\s+)?(?:answer|solution)\W*$", re.IGNORECASE)
# A formula of its own is one piece even where it is spread over lines.
_DISPLAY = re.compile(r"\$\$([^$]{1,1000}?)\$\$|(?<!\\)\\\[((?:(?!\\\[).){1,1000}?)\\\]", re.DOTALL)
# A reference with so many words is a solution, of which the answer is a part.
SOLUTION_WORDS = 12
_LABEL = re.compile(
    r"^[^\w$\\(\[{|-]*(?:the\s+)?(?:final\s+)?(?:answer|result|solution)\**\s*[:=]\**\s*"
    r"|^[^\w$\\(\[{|-]*(?:the|so|thus|hence|therefore|then|and),?\s+(?=\S{1,20} ?= ?\S)",
    re.IGNORECASE,
)
# Words that lead up to a number ("She has 18"); not a function's name, nor a date. Possessive, so
# that a run of spaces is read once.
_LEAD = re.compile(
    r"^(?![A-Z][a-z]+(?: \d{1,2})?: )(?!(?:not|arc[a-z]+|gcd|lcm|exp|sin|cos|tan|log|ln|sqrt|pi|january|february|march|april|may"
    r"|june|july|august|september|october|november|december)\b)"
    r"(?=[A-Za-z' ]*[A-Za-z]{2})(?:[A-Za-z']++[,:]?\s++){1,3}"
    r"(?=[-+]?\s*+(?:\$\s*+)?[\d.]|\$|\\(?:[dt]?frac|sqrt|\$|\(|\{)|[(\[{]\s*-?[\d\\]|[A-Za-z]\s?=)",
    re.IGNORECASE,
)
# What follows says why, not what: "the answer is 5, since 2 + 3 = 5".
_SO = re.compile(r"^(?:所以|因此|故|于是|よって|したがって|따라서|Значит|Итак),?\s*(?=\S)")
_NUMBERED = re.compile(r"^Q\d{1,3}[.:)]\s+(?=\S)|^(?:=|⇒|\\Rightarrow)\s*(?=\S)")
_REASON = re.compile(r",?\s+(?:since|because|as (?:required|desired|above|claimed|needed))\b", re.I)
_NAME_AT_END = re.compile(
    r"\*\*([^*\n]{1,60})\*\*\W*$|\b(?:is|are|was)\s+((?:[A-Z][\w'-]*\s?){1,3})[.!]?\s*$"
)
_IS = re.compile(r"\b(?:is|are|equals?|be)\s*:?\s+(?!given|by|for)")
# Words between two numbers that make no list, ratio or condition of them: "3 crates, then 42".
_STRAY = re.compile(
    r"(?<![A-Za-z\\])(?:then|times|minus|plus|is|are|equals|gives|leaves|so|makes)(?![A-Za-z]).*\d"
)
# "10 apples, each 2 dollars": what follows the counted thing tells more about it.
_COUNTED = re.compile(r"^(-?\$?\d[\d.,/]*+(?: [A-Za-z]+){1,3}), (?!and\b|or\b)[a-z]{3,}\b")
# "3 x 4 = 12 eggs": plain numbers that were computed with lead up to what came of them.
_COMPUTED = re.compile(r"^[-+]?\d[\d.,]*+(?:\s*+[-+*/x×÷]\s*+\d[\d.,]*+)++\s*+=\s*+(?=[-$]?\d)")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# "The answer is d."
_CHOICE = re.compile(r"^\(?([a-j])\)?[.)]?$")
_JOINED = re.compile(r",?\s*(?:or|,)\s*")
_BOLD = re.compile(r"(?<![\w)}])\*\*(?=\S)([^*\n]+?)(?<=\S)\*\*")
_FORMULA = re.compile(r"\$[^$\n]*\$")
_SENTENCES = re.compile(
    r"(?<=[.!?])\s+(?=[A-Z])|(?<=[a-z]{3}\.)\s+(?=\d)|(?<=\$\.)\s+|(?<=\.\$)\s+(?=[A-Z])"
)
_TAIL = re.compile(
    r"(?:\s*(?:I hope (?:it|this) (?:is correct|helps)\W?|</s>"
    r"|<\|[a-z_]{1,20}\|>(?:\s*(?:user|assistant))?))+\s*$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"\.(?=\s+[A-Z]|\s*$)")
_MATH = re.compile(r"\$([^$\n]+)\$|\\\(([^\n]+?)\\\)|(?<!\\)\\\[([^\n]+?)\\\]")
# Possessive, so that a megabyte of digits is one pass.
NUMBER = re.compile(
    r"(?<![\w.,])-?\$?\s?(?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d++)?(?:/\d++(?:\.\d++)?)?%?|-?\.\d++"
)
_LOOSE_NUMBER = re.compile(r"-?\d++(?:,\d{3})*+(?:\.\d++)?")
_PROTECTED = re.compile(
    r"\\(?:text\w*|mbox|mathrm|begin|end)\s*\{[^{}]*\}|\\[A-Za-z]+|\\\\\[[\w.]+\]"
)
_WORD = re.compile(r"[A-Za-z]{2,}")
# In scripts without spaces a character is about a word.
_OTHER_WORD = re.compile(r"[A-Za-zÀ-ɏЀ-ӿ]{2,}|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_JOINTS = ("and", "or")


def extract_answer(text: str) -> str:
    """The final answer of a prediction, or "" where there is none."""
    text = finished(translated(calm(text[-MAX_SOLUTION:])))
    if box := boxed(text):
        return _later_phrase(box[1]) or _stated(box[0])
    marked = _marked(text)
    if marked is not None:
        return _stated(marked)
    text = _flat(text[:-MAX_TAIL] + _TAIL.sub("", text[-MAX_TAIL:]))
    return _after_phrase(text) or _final_line(_without_marks(text))


def gold_answer(text: str) -> str:
    """The final answer of a reference: a bare answer stands for itself, short prose included."""
    text = translated(calm(text[-MAX_SOLUTION:]))
    box = boxed(text)
    marked = box[0] if box else _marked(text)
    if marked is not None:
        return _stated(marked)
    bare = text.strip()
    flat = _flat(bare)
    long = _words(flat) >= SOLUTION_WORDS
    return _after_phrase(flat) or (_final_line(flat) if long else "") or bare


def _after_phrase(text: str) -> str:
    last = _last(_ANSWER_IS, text)
    return _phrase(text[last.end() :]) if last is not None else ""


def _later_phrase(after: str) -> str:
    """What is said to be the answer after the last box, where that is a value or a choice."""
    if len(after) < 10 or "\\boxed" in after or not _ANSWER_IS.search(after):
        return ""
    said = _after_phrase(_flat(_TAIL.sub("", after[-MAX_DISPLAY_TAIL:])))
    return said if _VALUE.search(said) else ""


def _stated(marked: str) -> str:
    """What is in a mark, without the sentence around it: "The area is 5"."""
    plain = marked.replace("\\ ", " ") if "\\ " in marked else marked
    if _words(plain) < PROSE_WORDS or not _IS.search(plain):
        return marked
    return _said(plain) or marked


def _without_marks(text: str) -> str:
    """A text without what ends a proof: lines of signs alone, QED."""
    return text[:-MAX_BETWEEN] + _PROOF_ENDS.sub("", text[-MAX_BETWEEN:])


def _flat(text: str) -> str:
    """Formulas of their own near the end, each on one line."""
    if "$$" not in text and ("\n" not in text or "\\[" not in text):
        return text
    head, tail = text[:-MAX_DISPLAY_TAIL], text[-MAX_DISPLAY_TAIL:]
    if tail.count("$$") % 2:  # cut off at the front: the first one closes
        head, tail = head + tail.partition("$$")[0], tail.partition("$$")[2]
    return head + _DISPLAY.sub(_inline, tail)


def _inline(match: re.Match[str]) -> str:
    inner = (match.group(1) or match.group(2)).strip()
    return match.group() if "$" in inner else f"${' '.join(inner.split())}$"


def _marked(text: str) -> str | None:
    """The answer after an explicit mark that is no box: a tag, or ####."""
    tag = _last(_ANSWER_TAG, text[-MAX_DISPLAY_TAIL:])
    if tag is not None:
        inner = tag.group(1)
        return _after_phrase(inner) or _final_line(inner)
    mark = text.rfind("####")
    if mark >= 0:
        line = text[mark + 4 :].lstrip(": \n\t").split("\n", 1)[0].strip()
        return line if not _HEADING.match(line) else None
    return None


def _phrase(rest: str) -> str:
    """The answer at the start of what follows "the answer is"."""
    line = rest.lstrip().split("\n", 1)[0]
    line = line[:MAX_LINE]
    end = _SENTENCE_END.search(line)
    if end:
        line = line[: end.start()]
    line = line.strip().strip("*").lstrip("} ").strip()
    line = line.replace("**", "", 1) if line.count("**") % 2 else line
    math = _MATH.match(line)
    if math and len(line) > len(math.group()) and _words(line[math.end() :]) >= 2:
        return _formula(math)
    line = _REASON.split(unconditional(line), maxsplit=1)[0]
    line = _BOLD.sub(r"\1", line)
    if choice := _CHOICE.match(line):
        return f"({choice[1]})"
    if _words(line) < PROSE_WORDS or spoken_whole(line):
        if counted := _COUNTED.match(line):
            line = counted[1]
        return _bare(_COMPUTED.sub("", line))
    if said := _said(line):
        return said
    if "=" in line:  # "the answer is 5 + 4 = 9 of the eggs": what was computed comes last
        line = line.rsplit("=", 1)[1].strip()
    number = NUMBER.search(line) or _LOOSE_NUMBER.search(line)
    return _as_said(number, line) if number else line


def _formula(match: re.Match[str]) -> str:
    return next(group for group in match.groups() if group is not None).strip()


def _final_line(text: str) -> str:
    lines = text.strip().rsplit("\n", 1)
    line = _LABEL.sub("", lines[-1]).strip()
    if cell := _ROW.match(line):
        line = cell.group(1)
    line = _NUMBERED.sub("", line)
    line = line if line.isascii() else _SO.sub("", line)
    line = unconditional(line) if len(line) <= MAX_LINE else line
    line = _BOLD.sub(r"\1", line) if _words(line) else line
    if spoken_whole(line):
        return line
    sentence = _FORMULA.search(line) and _UNSPACED.search(line)
    bare = _words(line) < PROSE_WORDS and not sentence
    if line and bare and (len(lines) == 1 or _has_content(line)):
        return _bare(line)
    sentences = _SENTENCES.split(line[-MAX_LINE:])
    for sentence in reversed(sentences):
        if found := _last_value(sentence):
            return found
    if (said := last_spoken(line[-MAX_LINE:])) and not any(c.isdigit() for c in line):
        return said
    return _last_name(line) or _last_number(text)


def _bare(line: str) -> str:
    """A short line without the words before its answer; of a short sentence its last number."""
    line = _led(line)
    if not _STRAY.search(_PROTECTED.sub(" ", line[:MAX_LINE])):
        return line
    if said := _said(line):
        return said
    return _last_number(line.rpartition("=")[2]) or line


def _said(sentence: str) -> str:
    """What a sentence says that something is, where that is short and has a number in it."""
    said = _last(_IS, sentence)
    rest = sentence[said.end() :].strip().strip("*").rstrip(".!").strip() if said else ""
    short = _words(_FORMULA.sub(" ", rest)) < PROSE_WORDS
    return _led(rest) if short and any(c.isdigit() for c in rest) else ""


def _led(line: str) -> str:
    """A line without the words that lead up to its number; those that change it stay."""
    lead = _LEAD.match(line)
    return changed(lead.group()) + line[lead.end() :] if lead else line


def _as_said(number: re.Match[str], text: str) -> str:
    """A number in a text, with the words around it that make something else of it."""
    before = changed(text[max(0, number.start() - MAX_BETWEEN) : number.start()])
    after = text[number.end() : number.end() + MAX_BETWEEN].split("\n")[0]
    return (before + number.group() + (after if changes(after) else "")).strip()


def _last_value(sentence: str) -> str:
    """What a sentence says that something is, else its last formula, else its last number."""
    if said := _said(sentence):
        return said
    formulas = [*deque(_MATH.finditer(sentence), maxlen=MAX_BOXES)]
    if not formulas:
        return _last_number(sentence)
    row = [formulas[-1]]
    for before in reversed(formulas[:-1]):  # "x = 2 or x = 3" are one answer
        if not _JOINED.fullmatch(sentence[before.end() : row[0].start()]):
            break
        row.insert(0, before)
    return " or ".join(map(_formula, row))


def _last_name(line: str) -> str:
    """What a sentence without numbers ends with, where it is set apart or a name."""
    name = _NAME_AT_END.search(line[-MAX_LINE:])
    return next((group for group in name.groups() if group), "") if name else ""


def _last_number(text: str) -> str:
    last = _last(NUMBER, text) or _last(_LOOSE_NUMBER, text)
    return _as_said(last, text) if last else ""


def _last(pattern: re.Pattern[str], text: str) -> re.Match[str] | None:
    found = deque(pattern.finditer(text), maxlen=1)
    return found[0] if found else None


def _words(line: str) -> int:
    r"""How many words of prose a line has; LaTeX commands and \\text{} are not prose."""
    plain = _PROTECTED.sub(" ", line[:2000])
    words = (_WORD if plain.isascii() else _OTHER_WORD).findall(plain)
    return sum(word not in _JOINTS for word in words)


def _has_content(line: str) -> bool:
    return any(character.isalnum() for character in line)
