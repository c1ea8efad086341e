"""What a sentence of prose claims: its main clause, and values that it ends or begins with.

"Ann makes $18 a day by selling 16 eggs" claims 18; "only three of these are prime: 2, 3 and 11" is
3; "the vertex lies at (2, -3)" is the point. Each rule looks for a sign of its own, and where none
fits the sentence is left to the rules of sentences.py.

Not covered: two main clauses, each with a value.
"""

from __future__ import annotations

import re

from tasks.score.math.limits import MAX_BETWEEN, MAX_LINE
from tasks.score.math.parse.changing import changed
from tasks.score.math.parse.spoken import last_spoken, spoken_whole
from tasks.score.math.parse.units import UNITS

_TIMES = (
    r"(?:seconds?|minutes?|hours?|days?|nights?|weeks?|weekends?|months?|years?|rounds?|trips?)"
)
_SMALL = r"(?:\d[\d,.]*|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|both|all)"
_ITS = r"(?:the |his |her |their |these |those )"
# "36 (not 63, which counts each twice)", "(n = 4 gives 15, which fails)": told of other values.
OF_OTHERS = re.compile(
    r"(?<=[\w%$}]) \((?=[^()]*\b(?:not|gives|fails?|would|which|because|since|doesn|too)\b)"
    r"(?![^()]*\b(?:wrong|incorrect|wait|actually|maybe|perhaps|or|impossible|if)\b)[^()]*\)$"
)
# "3x^2 + 1, by the power rule"; "7 cups in all".
_BY_RULE = re.compile(
    r", by (?:the|our|a|an) [^,;\d=]*$|,? (?:in all|in total|altogether|overall)$"
    r"|(?<=\S) with (?:no|nothing|zero)(?: [a-z]+){1,3}$"
)
# "Sam, who is 10 minutes slower, needs 35".
_BETWEEN = re.compile(r"(?<=[A-Za-z]), (?:who|whose|which) [^,;=]{1,60},(?= [a-z])")
# What is told around the claim, at its end: when, why, how, for how long. None of them holds a main
# clause of its own, which would stand behind a comma or "and".
_AROUND = (
    # "260 sheep when Seattle has 20"; not "and when the rest left".
    re.compile(
        r"(?<!and)(?<!but)(?<!then)(?<!or),? (?:when|whenever|until|before|once)"
        r" (?:any |all |each |every |the |his |her |their |a )?[A-Za-z][a-z']*\b"
        r"(?! [a-z]+ and \W*\d)(?:(?! and \W*\d)[^,;=])*$"
    ),
    re.compile(
        r"(?<!and), (?:as|since|because|though|although|even though)"
        r" (?!follows|well|many|much|long|shown|desired)"
        r"(?!.*\b(?:so|therefore|thus|hence|wrong|impossible|but)\b)[^;]*$"
        r"|(?<!and), (?:counting|including|excluding|given|assuming|of which|after|before) [^,;=]*$"
    ),
    re.compile(r", (?:which (?:he|she|they|we|you|I)|who|whose|its|his|her|their) [^,;=]*$"),
    # "15 loaves, three fewer than she had".
    re.compile(
        rf", {_SMALL}(?: [a-z]+)?(?: [a-z]+)? (?:more|fewer|less|greater|older|younger|later) than"
        r" [^,;=]*$"
    ),
    # "by selling what is left of the 16 eggs".
    re.compile(r"(?<=[\w%$]) by (?:only |just )?[a-z]{2,}ing\b[^,;=]*$"),
    # "over the three months", "after 20 years".
    re.compile(
        rf"(?<=[\w%$]) (?:over|during|within|across|throughout|after)"
        rf" (?:{_ITS}|all |next |last |first |past ){{0,2}}{_SMALL} {_TIMES}$"
        rf"|(?<=[\w%$]) (?:over|during|across|throughout) {_ITS}{_SMALL} [a-z]+$"
    ),
    # "for all 16 glasses"; "for both pipes to fill the tank".
    re.compile(
        rf"(?<=[\w%$]) for (?:all |each of )(?:of )?{_ITS}?{_SMALL}(?: [a-z]+){{1,3}}$"
        r"|(?<=[\w%$]) for [a-z][a-z' ]{1,30} to [a-z]{2,}\b[^,;=\d]*$"
    ),
    OF_OTHERS,
)
# "was downloaded 366 times"; not what is made larger.
_TIMES_DONE = re.compile(
    r"\b(?!multipli|increas|grow|magnif|enlarg|scal|doubl)(?:[a-z]{2,}ed|ran|went|saw|won|met|ate|read)"
    r" (?:it |them |him |her |exactly |a total of )?(\d[\d,]*) times$"
)
# "8 centimetres long".
_ADJECTIVE = re.compile(r"(?<=\d )([a-z]{1,12}) (?:long|wide|tall|high|deep|thick|apart)$")
_LEADING = re.compile(
    r"^(?:(?:so|thus|hence|therefore),? )?"
    r"(?:for|in|after|when|with|if|since|by|given|during|over|on|because|from) [^,]*, (?=[A-Za-z])",
    re.IGNORECASE,
)
_LED_IN = r"^(?:(?:so|thus|therefore|hence|in total|overall|altogether|this means),? (?:that )?)?"
# "Only three of these numbers are prime: 2, 3 and 11."
_COUNTED = re.compile(
    _LED_IN
    + r"(?:only|exactly|just|precisely) ([a-z]+|\d+) of (?:the|these|those|them|his|her|our)\b",
    re.IGNORECASE,
)
# "There are six ways to do this with 3 colors."
_THERE_ARE = re.compile(
    _LED_IN + r"there (?:are|is|were|will be|must be) (?:exactly |only |a total of |just )?"
    r"([a-z]+(?:-[a-z]+)?|\d[\d,]*)(?: [a-z]+){1,3} (?:to|with|for|in|on|that|of|from|between)"
    r" [^,;=:]*$",
    re.IGNORECASE,
)
# "She got 11 of the 14 questions right."
_OUT_OF = re.compile(rf"(?<![\d.,$])(\d[\d,]*) of {_ITS}\d[\d,]* [a-z]+(?: [a-z]+)?$")
# "None of the apples are left."
_NONE_LEFT = re.compile(_LED_IN + r"none of [^,;\d]* (?:left|remain(?:s|ed|ing)?)$", re.IGNORECASE)
# "a mile and a half"; "four dollars and fifty cents".
_AND_A_HALF = re.compile(r"\b(an?|one|two|three|four|five|six|\d+) [a-z]{3,} and a half$")
_MONEY = re.compile(r"\b((?:[a-z]+[ -]){1,4})dollars and ((?:[a-z]+[ -]){1,2})cents$")
# "n = 5 is the smallest for which ..."; not where something follows from it.
_SUPERLATIVE = re.compile(
    _LED_IN
    + r"(?:\$?[a-z]\$? ?= ?)?\$?(-?\$?\d[\d.,]*(?:/\d+)?)\$? is (?:the|our) (?:smallest|largest"
    r"|least|greatest|only|minimum|maximum|required|desired|biggest|lowest|highest)\b"
    r"(?!.*\b(?:so|therefore|thus|hence|conclude|then|but|not|giv\w+|means)\b)",
    re.IGNORECASE,
)
# "giving us the roots 5 and -1".
_LISTED = re.compile(
    r"\b(?:roots|solutions|zeros|values|integers|primes)(?: (?:are|of [a-z]|[a-z] ?=|being))*:?"
    r" (-?\d[\d./]*(?:, -?\d[\d./]*)*,? and -?\d[\d./]*)$"
)
# "the chance of two heads is one in four".
_ONE_IN = re.compile(
    r"\b(?:chance|probability|likelihood)\b.*? ([a-z]+|\d+) in (?:every )?([a-z]+|\d+)$"
)
_DAYS = re.compile(
    r"\b(?:(?:is|be|was|falls?|lands?(?: us)?) (?:on )?(?:an? )?|on an? )"
    r"((?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|January|February|March|April|June|July|August"
    r"|September|October|November|December)$"
)
_OTHER_DAY = re.compile(r", (?:and )?not (?:an? |on )*[A-Z][a-z]+$")
# "Tom has more marbles than Jerry."
_MORE_THAN = re.compile(
    r"\b([A-Z][a-z]+) (?:has|have|had|is|was|ran|got|earned|scored|won|collected|drove|read|ate)"
    r" (?:the )?(?:more|fewer|less|older|younger|taller|shorter|faster|slower|heavier|lighter)\b"
    r"[a-z ]{0,30} than [A-Z][a-z]+$"
)
_PROPERTY = re.compile(
    r"\b(?:is|be|are) (?:always |never )?(even|odd|composite|irrational|rational|parallel"
    r"|perpendicular|isosceles|equilateral|scalene|convergent|divergent|increasing|decreasing)$"
)
_MATHY = re.compile(
    r"(?:[-+*/^=<>≤≥≠·×(){}\[\],.|\d√π∞±!²³⁴−]"
    r"|(?<![A-Za-z])(?:[b-zB-HJ-Z]|a(?=[\W\d])|sin|cos|tan|log|ln|sqrt|pi)(?![a-zA-Z]))+"
)
_TUPLE = re.compile(r"[(\[][^()\[\]]*,[^()\[\]]*[)\]]")
_AMOUNT = re.compile(r"-?[\d.,]+ ?[A-Za-z](?:/[A-Za-z])?[²³]?")
_TOKENS = 40
# "... 24 + 26 = " of plain numbers and their nouns, then what it comes to.
_SUM = re.compile(
    r"(?<![\w^.,])\d[\d.,]*[%)$]*(?:[ /-][A-Za-z']{2,}){0,3}\s*[-+*/x×÷–·]\s*\(?\$?\d[\d.,]*[%)$]*"
    r"(?:[ /][A-Za-z'/-]+){0,4}\s*$"
)
_TIMES_SIGN = re.compile(r"(?<=[\d)%])\s*x\s*(?=[\d$(])")
_COMES_TO = re.compile(r"\s*\$?(-?\d[\d,]*(?:\.\d+)?%?)(?![\d(^]|[A-Za-z]|\s*[-+*/^×÷=]\s*[\d($])")
_VARIABLE = re.compile(
    r"(?<![A-Za-z])(?!a )[A-Za-z]\s*[-+*/^=]|\d[A-Za-z](?![A-Za-z])|[-+*/^]\s*[a-z]\b"
)
# What may take the sum back, or go on from it.
_GOES_ON = re.compile(
    r"[;:?]|[.!] |,.*\d|\b(?:so|which|therefore|then|leaving|and)\b.*\d|\b(?:not|but)\b"
)


def main_clause(sentence: str) -> str:
    """A sentence without what is told around its claim, where what is left has a value."""
    sentence = sentence.rstrip(" .!")
    if len(sentence) > MAX_LINE:
        return sentence
    sentence = _BY_RULE.sub("", _BETWEEN.sub("", sentence))
    sentence = sentence.replace("plus or minus ", "±") if "plus or" in sentence else sentence
    numbers = _digits(sentence)
    for pattern in _AROUND:
        around = pattern.search(sentence)
        # What has no number of its own may stay, where the claim is in digits.
        competes = around and (_has_value(around.group()) or not numbers)
        if around and competes and _has_value(sentence[: around.start()]):
            sentence = sentence[: around.start()]
    if done := _TIMES_DONE.search(sentence):
        return sentence[: done.end(1)]
    return _ADJECTIVE.sub(r"\1", sentence)


def computed(line: str) -> str:
    """What the sum of plain numbers comes to that a line ends with: `5 * 11 = 55 times` is 55."""
    left, equals, right = line.rpartition("=")
    if not equals or len(line) > MAX_LINE or "\\" in line:
        return ""
    left = _TIMES_SIGN.sub("*", left[-MAX_BETWEEN:])
    if _VARIABLE.search(left) or not _SUM.search(left):
        return ""
    value = _COMES_TO.match(right)
    if value is None or _GOES_ON.search(right, value.end()):
        return ""
    word = right[value.end() :].strip(" .").split(" ")[0]
    return f"{value[1]} {word}" if word[2:] and word.casefold() in UNITS else value[1]


def claimed(sentence: str, clause: str) -> str:
    """What a sentence claims by its shape, or nothing.

    Args:
        sentence: Whole.
        clause: Its main clause.
    """
    if len(sentence) > MAX_LINE:
        return ""
    if (one := _COUNTED.match(clause)) and (value := _whole(one[1])):
        return value
    if (one := _THERE_ARE.match(clause)) and (value := _whole(one[1])):
        return value
    if one := _SUPERLATIVE.match(clause) or _OUT_OF.search(clause):
        return one[1]
    if _NONE_LEFT.match(clause):
        return "0"
    if one := _AND_A_HALF.search(clause):
        return f"{'1' if one[1] in ('a', 'an') else _whole(one[1])}+1/2"
    if one := _MONEY.search(clause):
        whole, cents = _whole(last_spoken(one[1].strip())), _whole(one[2].strip())
        return f"{whole} dollars and {cents} cents" if whole and cents else ""
    if " and " in clause and (one := _LISTED.search(clause)):
        return one[1]
    if " in " in clause and (one := _ONE_IN.search(clause)):
        top, bottom = _whole(one[1]), _whole(one[2])
        if top and bottom:
            return f"{top}/{bottom}"
    if one := _DAYS.search(_OTHER_DAY.sub("", clause)):
        return one[1]
    if one := _MORE_THAN.search(clause) or _PROPERTY.search(clause):
        return one[1]
    if tail := _expression(clause):
        return tail
    return _in_words(sentence, clause)


def _expression(clause: str) -> str:
    """The point, interval, inequality or formula without marks that a clause ends with."""
    if "$" in clause or "\\" in clause:
        return ""
    tokens = clause.split(" ")
    while len(tokens) > 1 and tokens[-1].isalpha() and tokens[-1].islower() and tokens[-1][2:]:
        tokens.pop()
    nouns = clause.count(" ") + 1 - len(tokens)
    at = len(tokens)
    while at > max(0, len(tokens) - _TOKENS) and _MATHY.fullmatch(tokens[at - 1]):
        if tokens[at - 1] in ("i.e.", "e.g."):
            return ""
        at -= 1
    tail = " ".join(tokens[at:]).rstrip(",")
    if at == 0 or not tail or _AMOUNT.fullmatch(tail) or tail.count("=") > 1:
        return ""
    letters = any(one.isalpha() and one.isascii() for one in tail)
    left, equals, right = tail.rpartition("=")
    if nouns:  # "2^n - 1 nonempty subsets"
        found = nouns < 4 and letters and any(sign in tail for sign in "+*^√²³") and not equals
    elif _TUPLE.fullmatch(tail):
        found = True
    elif any(sign in tail for sign in "<>≤≥"):
        found = letters
    elif equals:
        found = bool(left) and any(one.isalpha() for one in right)
        found = found and not _AMOUNT.fullmatch(right.strip())
    else:
        found = letters and any(sign in tail for sign in "+*^√²³")
        found = found or ("π" in tail and len(tail) > 1)
    before = "" if equals else changed(" ".join(tokens[:at]) + " ")
    return before + tail if found else ""


def _in_words(sentence: str, clause: str) -> str:
    """The number in words of a main clause without digits, where more stands around it."""
    clause = _LEADING.sub("", clause) if "=" not in clause else clause
    return last_spoken(clause) if not _digits(clause) and len(clause) < len(sentence) - 2 else ""


def _has_value(text: str) -> bool:
    return _digits(text) or bool(last_spoken(text))


def _digits(text: str) -> bool:
    return any(one.isdigit() for one in text)


def _whole(word: str) -> str:
    return word if word.isdecimal() else spoken_whole(word)
