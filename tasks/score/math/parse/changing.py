"""Words beside a number that change its value, in English and the languages of answers.

What follows a number is dropped as its unit or its noun unless it `changes` the value: "5 or more",
"3 dozen less", "5 times larger" are no 5. Nor is a number that a bound, a step or a page is named
by: "at least 5", "step 5", "mindestens 5".

Not covered: sentences that take a number back further away ("5. No, that was wrong").
"""

from __future__ import annotations

import re


def words_of(text: str) -> tuple[str, ...]:
    """The words of a table that is written as text."""
    return tuple(text.split())


def _either(words: str) -> str:
    """A pattern for any of the phrases, one a line."""
    return "|".join(line.strip() for line in words.strip().splitlines())


_COMPARED = _either("""
    more|less|fewer|above|below|over|under|greater|smaller|higher|lower
    most|least|later|earlier|better|up|so|beyond
""")
_PARTS_AND_SCALES = _either("""
    plus|minus|(?:more|less|fewer) than|times(?! (?:an?|per|each|every) )|fold|squared|cubed
    factorial|dozens?|pairs?|couples?|scores?|gross|halves|half|thirds?|quarters?|fourths?
    fifths?|sixths?|sevenths?|eighths?|ninths?|tenths?|hundredths?|thousandths?|millionths?
    hundreds|thousands|millions|billions|trillions|tens|ones
""")
_DENIED = _either("""
    (?:is|are|was|were)\\s+(?:impossible|not|incorrect|invalid|(?:the\\s+)?wrong|false)|not|wrong|incorrect
    which\\s+(?:contradict\\w*|cannot|can't|(?:does|is|was)(?:\\s+not|n't)|(?:is|was)\\s+(?:wrong|incorrect
    impossible|absurd|too|a\\s+contradiction))|contradict\\w*|a\\s+contradiction
    impossible|false|invalid|fails?|(?:is\\s+)?rejected|never|doesn|does\\s+not|cannot|can't|isn|away|short|too
    fois|veces|vezes|volte|раза?|approximately|approx|roughly|about|ish|(?:at\\s+)?(?:the\\s+)?(?:maximum|minimum)
    [\u3400-\u9fff\uac00-\ud7af]{0,3}?(?:以上|以下|以内|未満|未满|不到|左右|余|倍|이상|이하|미만|배)
    oder\\s+(?:mehr|weniger)|ou\\s+(?:plus|moins)|o\\s+(?:más|menos)|или\\s+(?:более|больше|менее|меньше)
""")
# What may follow a number and is neither its unit nor its noun.
_CHANGING_AFTER = re.compile(
    rf"^\W*(?:(?:or|and|at)\s+(?:{_COMPARED})|{_PARTS_AND_SCALES}|{_DENIED})(?![A-Za-zа-я])",
    re.IGNORECASE,
)
# What may stand before a number and makes another value of it, a bound, or a place in a text.
_CHANGING_BEFORE = _either("""
    at (?:the )?(?:least|most)|(?:cannot|can't|not|never) be|within
    (?:cannot|can't|impossible to|never) (?:have|get|equal|reach|make|obtain)
    (?:no |not )?(?:more|less|fewer|greater|smaller) than(?: or equal to)?
    (?:larger|bigger|higher|lower|other|rather) than
    (?<!all )(?<!left )(?<!hand )(?<!handed )(?<!hands )over|under|above|below|beyond|exceeds
    (?<!add )(?<!adds )(?<!added )(?<!adding )(?<!sum )(?<!sums )up to|not|never
    (?:all (?:real )?numbers )?except(?: for)?|(?:all|every\\w*|any\\w*|no\\w*) but|excluding
    besides|but not|instead of|without
    first|last|next|previous|(?:an?|at) (?:minimum|maximum)(?: of)?
    about|approximately|around|roughly|nearly|almost|close to|negative|minus|twice|thrice
    double|triple|half(?: of)?|(?:third|quarter|fifth|tenth)s? of|(?:times|plus)
    (?:(?:square |cube |fourth |fifth )?roots?|square|cube|reciprocal|factorial|opposite) of
    (?:inverse|multiples?|powers?|factors?|divisors?|negative|digits?|complement|supplement) of
    (?:one|any|some|out) of
    (?:logarithm|log|sine|cosine|tangent|conjugate|remainder|absolute value|modulus) of
    (?:divisible|multiplied|divided) by|prime to|mod(?:ulo)?
    (?:defined|undefined|continuous|discontinuous|differentiable) at
    step|steps|chapter|page|section|figure|fig\\.?|equation|eq\\.?|problem|question|exercise
    example|theorem|lemma|part|case|line|item|note|table|base
    mindestens|höchstens|etwa|ungefähr|rund|circa|fast|knapp
    (?:mehr|weniger|größer|kleiner) als|bis zu
    au (?:moins|plus)|environ|(?:plus|moins|près) de|presque|jusqu'à
    al menos|a lo sumo|como (?:mínimo|máximo)|aproximadamente|alrededor de|casi|hasta
    (?:más|menos|mayor|menor) (?:de|que)
    pelo menos|no (?:mínimo|máximo)|cerca de|(?:mais|menos) de|almeno|al massimo|(?:più|meno) di
    quasi|moins|menos
    не (?:менее|более|меньше|больше)|около|примерно|приблизительно|почти|минус|хотя бы
    (?:более|менее|больше|меньше)(?: чем)?
""")
CHANGED = re.compile(
    rf"(?<![A-Za-zÀ-ɏЀ-ӿ\\])({_CHANGING_BEFORE})\s*:?\s*(?:the\s+)?$", re.IGNORECASE
)
# The words that phrases of CHANGED end with: looked up before the pattern is tried.
_LAST_OF_CHANGING = frozenset(
    words_of("""
        least most than to be within have get equal reach make obtain
        over under above below beyond exceeds not never except for
        excluding besides of about approximately around roughly nearly almost negative minus
        twice thrice double triple half by at mod modulo step steps chapter page section figure
        fig equation eq problem question exercise example theorem lemma part case line item note
        table base but without first last next previous minimum maximum
        mindestens höchstens etwa ungefähr rund circa fast knapp als zu moins plus environ de
        presque jusqu'à menos sumo mínimo máximo aproximadamente que casi hasta almeno massimo di
        quasi менее более меньше больше около примерно приблизительно почти минус чем бы
    """)
)
_REACH = 60
# "all real numbers greater than 4", "x is at least 4".
BOUNDED = re.compile(
    r"^(?:(?:all )?real numbers (?:[a-z] )?|[a-z] is |)(?:that are )?"
    r"(at least|at most|no (?:less|more) than"
    r"|(?:greater|more|larger|less|smaller) than(?: or equal to)?) (-?[\d.]+)$"
)


def changes(words: str) -> bool:
    """Whether words after a number make something else of it than a number of things."""
    return bool(_CHANGING_AFTER.match(words))


def changed(before: str) -> str:
    """The words at the end of what stands before a number that make something else of it."""
    last = before.rstrip(" :").rpartition(" ")[2].casefold()
    if last == "the":
        last = before.split()[-2].casefold() if before.count(" ") > 1 else ""
    if last.rstrip(".") not in _LAST_OF_CHANGING:
        return ""
    match = CHANGED.search(before[-_REACH:])
    return match.group() if match else ""
