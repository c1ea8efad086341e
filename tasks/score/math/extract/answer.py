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

import functools
import re

from tasks.score.math.extract.boxes import boxed
from tasks.score.math.extract.clauses import (
    REASON,
    without_aside,
    without_others,
    without_parts,
    without_relative,
)
from tasks.score.math.extract.denied import denied
from tasks.score.math.extract.displays import flat
from tasks.score.math.extract.languages import translated
from tasks.score.math.extract.lines import judged_choices, numbered_lines, stated_by_shape
from tasks.score.math.extract.prose import OF_OTHERS, claimed, computed, main_clause
from tasks.score.math.extract.sentences import (
    BOLD,
    FORMULA,
    IS,
    LOOSE_NUMBER,
    MATH,
    NUMBER,
    PROSE_WORDS,
    as_said,
    has_content,
    inner_formula,
    last_match,
    last_name,
    last_number,
    last_value,
    prose_words,
    short_answer,
    what_is,
)
from tasks.score.math.extract.unfinished import finished
from tasks.score.math.limits import (
    MAX_BETWEEN,
    MAX_DISPLAY_TAIL,
    MAX_KEPT,
    MAX_LINE,
    MAX_SOLUTION,
    MAX_TAIL,
)
from tasks.score.math.parse.changing import changes
from tasks.score.math.parse.normalize import calm, unconditional
from tasks.score.math.parse.spoken import last_spoken, spoken_whole

_ANSWER_TAG = re.compile(r"<answer>(.{0,2000}?)</answer>", re.DOTALL | re.IGNORECASE)
_ANSWER_IS = re.compile(
    r"(?<!not )(?<!n't )(?<!never )(?<!might )(?<!could )(?<!many would )(?<!some would )"
    r"\b(?:choose|pick|select|go with|going with)(?: option| choice)?(?=\s+\(?[A-J]\b)"
    r"|\b(?:answer|(?:correct|best|right) (?:option|choice))(?: (?:that|which) [a-z ]{3,40}?)?"
    r"(?:\**\s+(?:is|(?:must|would|should|will|has to) be)(?:\s+that)?|\**\s*[:=]|s\s+are"
    r"|\s*(?=\$|\\\(|\\\[))\s*:?\**",
    re.IGNORECASE,
)
# "The answer is not \\boxed{15}."
_DENIED_BOX = re.compile(r"\b(?:not|isn't|never)\s*(?:\$|\\\(|\\\[)*\s*\\boxed[^}]*\}[^}]*$")
# {"answer": "11"}
_FIELD = re.compile(r'nswer"\s*:\s*("[^"\n]{1,300}"|[^",}\n]{1,300}?)\s*[,}\n]')
# "#### Final answer" is a heading: the answer is below it.
_VALUE = re.compile(r"\d|^\W*[A-J]\W*$|^\s*(?:\$|\\[(\[]|\\[a-z])")
# Lines that end a proof and say nothing.
_PROOF_ENDS = re.compile(
    r"(?:\s*\n\s*(?:[^\w\s$\\)\]}]{1,3}|\*{0,2}Q\.?E\.?D\.?\*{0,2}"
    r"|\$?\\(?:blacksquare|square|qed|Box)\$?))+\s*$"
    r"|\s*(?:[□■∎]|\$?\\(?:blacksquare|square|qed|Box)\$?)\s*$"
)
_ROW = re.compile(r"^\|.*\|\s*([^|]*[^|\s][^|]*?)\s*\|$")
_HEADING = re.compile(r"^\W*(?:the\s+)?(?:final\s+)?(?:answer|solution)\W*$", re.IGNORECASE)
# A reference with so many words is a solution, of which the answer is a part.
SOLUTION_WORDS = 12
_LABEL = re.compile(
    r"^[^\w$\\\[{|-]*(?:the\s+)?(?:final\s+)?(?:answer|ans|result|solution)\**"
    r"(?:\s*[:=.→](?!\d)|\s+[-–—]\s|\)\s)\**\s*"
    r"|^[^\w$\\(\[{|-]*(?:the|so|thus|hence|therefore|then|and),?\s+(?=\S{1,20} ?= ?\S)",
    re.IGNORECASE,
)
# "C", and below it why; "\\text{Answer: } 6".
_CHOSEN_FIRST = re.compile(
    r"\s*\**\(?([A-J])[).]?\**\s*\n(?=.*[a-z]{3})(?!.*\banswer\b)"
    r"|\s*\**\(?([A-J])[).:]\**\s+(?:because|since|the reason|this is because|explanation|reason)\b"
    r"(?!.*\banswer\b)",
    re.DOTALL | re.I,
)
_ANSWER_LABEL = re.compile(
    r"^\s*\\text\s*\{\s*(?:the )?(?:final |correct )?answer(?: is)?\s*:?\s*\}\s*(?=\S)", re.I
)
_NO_SOLUTION = re.compile(
    r"\bno (?:real |integer |such )?solutions?\b(?! (?:to|for) (?!the|this))"
    r"|\b(?:does not|doesn't) exist(?=\W*$)|\binfinite(?:ly many)? (?:number of )?solutions\b",
    re.IGNORECASE,
)
# "8, or 9 if you count the first".
_HEDGE = re.compile(r"\W*(?:or|maybe|possibly|perhaps)\b.*\d")
_SO = re.compile(
    r"^(?:所以|因此|故|于是|よって|したがって|따라서|Значит|Итак|Итого|Всего|Следовательно),?\s*(?=\S)"
)
# "x的值为3或5": all that a sentence says.
_IS_IN_CHINESE = re.compile(
    r"^[^,;]*[\u3400-\u9fff](?:为|是|等于)\s*(?=[-$\\\d(\[][^\u3400-\u9fff]*$)"
)
_NUMBERED = re.compile(
    r"^(?:\d{1,2}\.|-(?! [a-z] ?(?:[-+*/^]|$))|[*•])\s+(?=[A-Za-z$\\])|^Q\d{1,3}[.:)]\s+(?=\S)"
    r"|^(?:=>|=|⇒|∴|\\Rightarrow|\\therefore)\s*(?=\S)"
    r"|^(?=.*=.*=).*(?:\\Rightarrow|\\implies|⇒|⟹|=>)\s*(?=[^=]*=[^=]+$)"
)
# "10 apples, each 2 dollars": what follows the counted thing tells more about it.
_COUNTED = re.compile(r"^(-?\$?\d[\d.,/]*+(?: [A-Za-z]+){1,3}), (?!and\b|or\b)[a-z]{3,}\b")
# "3 x 4 = 12 eggs": plain numbers that were computed with lead up to what came of them.
_COMPUTED = re.compile(r"^[-+]?\d[\d.,]*+(?:\s*+[-+*/x×÷]\s*+\d[\d.,]*+)++\s*+=\s*+(?=[-$]?\d)")
# Numbers in two clauses of a sentence without spaces: either may be the answer.
_SEVERAL_CLAUSES = re.compile(r"\d[^,;\d]*[\u3400-\u9fff][^,;\d]*[,;].*\d")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# "The answer is d."
_CHOICE = re.compile(
    r"^\(?([a-j])\)?[.)]?$"
    r"|^\(?([A-J])\)? (?:here|then|now|for this (?:one|question)|as (?:the|my) (?:final )?answer)$"
)
_SENTENCES = re.compile(
    r"(?<=[.!?])\s+(?=[A-Z])|(?<=[a-z]{3}\.)\s+(?=\d)|(?<=\$\.)\s+|(?<=\.\$)\s+(?=[A-Z])"
)
_TAIL = re.compile(
    r"(?:\s*(?:I hope (?:it|this) (?:is correct|helps)\W?|</s>"
    r"|<\|[a-z_]{1,20}\|>(?:\s*(?:user|assistant))?))+\s*$",
    re.IGNORECASE,
)
_SENTENCE_END = re.compile(r"\.(?=\s+[A-Z]|\s*$)")
# "She has 6 apples.\n\nNote: this assumes that 2 were eaten."
# "So x = 12. Checking: 12/3 + 2 = 6."
_NOTE = re.compile(
    r"\n\s*(?:\*\*|\()?(?:Note|N\.B\.|Remark)\b(?:(?!\n\n).)*\s*$"
    r"|(?<=[.!\n])\s*(?:\*\*)?(?:Check(?:ing)?|Verif(?:y|ying|ication))(?:\*\*)?:"
    r"(?!.*\b(?:so|therefore|thus|hence|but|not|wrong|instead)\b|.*n't\b)(?:(?!\n\n).)*\s*$",
    re.DOTALL | re.IGNORECASE,
)


def extract_answer(text: str) -> str:
    """The final answer of a prediction, or "" where there is none."""
    calmed = calm(text[-MAX_SOLUTION:])
    text = finished(translated(calmed))
    if box := boxed(text):
        no = _DENIED_BOX.search(text, max(0, text.rfind("boxed") - MAX_BETWEEN))
        return _later_phrase(box[1]) or ("not " if no else "") + _stated(box[0])
    marked = _marked(text)
    if marked is not None:
        return _stated(_after_phrase(marked) or marked)
    if chosen := _CHOSEN_FIRST.match(text):
        return f"({chosen[1] or chosen[2]})"
    note = _NOTE.search(text, max(0, len(text) - MAX_TAIL))
    if note and not _ANSWER_IS.search(note[0]) and any(c.isdigit() for c in text[: note.start()]):
        text = calmed = text[: note.start()]
    if "orrect" in text[-MAX_TAIL:] and (judged := judged_choices(text[-MAX_DISPLAY_TAIL:])):
        return judged
    if denied(calmed):
        return ""
    text = _without_marks(flat(text[:-MAX_TAIL] + _TAIL.sub("", text[-MAX_TAIL:])))
    return _after_phrase(text) or _final_line(text)


def gold_answer(text: str) -> str:
    """The final answer of a reference: a bare answer stands for itself, short prose included."""
    return _gold_answer(text) if len(text) <= MAX_KEPT else _gold_answer.__wrapped__(text)


# A reference is compared with many samples.
@functools.lru_cache(maxsize=1 << 14)
def _gold_answer(text: str) -> str:
    text = translated(calm(text[-MAX_SOLUTION:]))
    box = boxed(text)
    marked = box[0] if box else _marked(text)
    if marked is not None:
        return _stated(marked)
    bare = text.strip()
    lines = flat(bare)
    long = prose_words(lines) >= SOLUTION_WORDS
    return _after_phrase(lines) or (_final_line(lines) if long else "") or bare


def last_words(text: str) -> list[str]:
    """What stands after the last words that name an answer, and the last line: each as it is."""
    text = finished(translated(calm(text[-MAX_SOLUTION:])))[-MAX_LINE:].strip()
    last = last_match(_ANSWER_IS, text)
    said = text[last.end() :] if last else text.rpartition("####")[2]
    return [said.strip(" :*\n"), text.rpartition("\n")[2]]


def _after_phrase(text: str) -> str:
    last = last_match(_ANSWER_IS, text)
    return _phrase(text[last.end() :]) if last is not None else ""


def _later_phrase(after: str) -> str:
    """What is said to be the answer after the last box, where that is a value or a choice."""
    if len(after) < 10 or "\\boxed" in after or not _ANSWER_IS.search(after):
        return ""
    said = _after_phrase(flat(_TAIL.sub("", after[-MAX_DISPLAY_TAIL:])))
    return said if _VALUE.search(said) else ""


def _stated(marked: str) -> str:
    """What is in a mark, without the sentence around it: "The area is 5"."""
    if "nswer" in marked:
        marked = _ANSWER_LABEL.sub("", marked)
    plain = marked.replace("\\ ", " ") if "\\ " in marked else marked
    if prose_words(plain) < PROSE_WORDS or not IS.search(plain):
        return marked
    return what_is(plain) or marked


def _without_marks(text: str) -> str:
    """A text without what ends a proof: lines of signs alone, QED."""
    return text[:-MAX_BETWEEN] + _PROOF_ENDS.sub("", text[-MAX_BETWEEN:])


def _marked(text: str) -> str | None:
    """The answer after an explicit mark that is no box: a tag, or ####."""
    tag = last_match(_ANSWER_TAG, text[-MAX_DISPLAY_TAIL:])
    if tag is not None:
        inner = tag.group(1)
        return _after_phrase(inner) or _final_line(inner)
    if 'nswer"' in text and (field := last_match(_FIELD, text[-MAX_DISPLAY_TAIL:])):
        return field[1].strip('"')
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
    math = MATH.match(line)
    if math and len(line) > len(math.group()) and prose_words(line[math.end() :]) >= 2:
        after = line[math.end() :]
        return inner_formula(math) + (after if changes(after) else "")
    line = REASON.split(unconditional(line), maxsplit=1)[0]
    line = without_relative(OF_OTHERS.sub("", BOLD.sub(r"\1", line)))
    if choice := _CHOICE.match(line):
        return f"({choice[1] or choice[2]})"
    if prose_words(line) < PROSE_WORDS or spoken_whole(line):
        if counted := _COUNTED.match(line):
            line = counted[1]
        return short_answer(_COMPUTED.sub("", line))
    if said := what_is(line):
        return said
    if "=" in line:  # "the answer is 5 + 4 = 9 of the eggs": what was computed comes last
        line = line.rsplit("=", 1)[1].strip()
    if not line.isascii() and _SEVERAL_CLAUSES.search(line):
        return line
    number = NUMBER.search(line) or LOOSE_NUMBER.search(line)
    if number is None or _HEDGE.match(line, number.end()):
        return line
    return as_said(number, line)


def _final_line(text: str) -> str:
    if any(mark in text[-MAX_TAIL:] for mark in ("(2)", "(b)")) and (parts := numbered_lines(text)):
        return parts
    lines = text.strip().rsplit("\n", 1)
    line = _LABEL.sub("", lines[-1]).strip()
    if cell := _ROW.match(line):
        line = cell.group(1)
    line = _NUMBERED.sub("", line) if len(line) <= MAX_LINE else line
    if not line.isascii():
        line = _SO.sub("", line)
        line = _IS_IN_CHINESE.sub("", line) if len(line) <= MAX_LINE else line
    line = unconditional(line) if len(line) <= MAX_LINE else line
    line = BOLD.sub(r"\1", line) if prose_words(line) else line
    if "(" in line:
        line = without_others(line)
    if "since" in line or "as " in line or "because" in line:
        line = REASON.split(line, maxsplit=1)[0]
    line = without_parts(without_aside(line))
    if shaped := stated_by_shape(line) or computed(line):
        return shaped
    sentence = FORMULA.search(line) and _UNSPACED.search(line)
    bare = prose_words(line) < PROSE_WORDS and not sentence
    if line and bare and (len(lines) == 1 or has_content(line)):
        return short_answer(line)
    sentences = _SENTENCES.split(line[-MAX_LINE:])
    for sentence in reversed(sentences):
        clause = main_clause(sentence)
        if found := claimed(sentence, clause) or last_value(clause):
            return found
    if (said := last_spoken(line[-MAX_LINE:])) and not any(c.isdigit() for c in line):
        return said
    if none := _NO_SOLUTION.search(line):
        return none.group()
    short = len(line) <= (MAX_BETWEEN if len(lines) == 1 else MAX_BETWEEN // 2)
    if short and _UNSPACED.match(line) and not any(sign in line for sign in ",:;?"):
        return line  # a word or two in a script without spaces
    return last_name(line) or last_number(text)
