"""Answers in other scripts and languages, brought to the signs and words that the rules know.

Chinese, Japanese and Korean punctuation, full-width letters, circled digits, Arabic digits; the
phrases that name an answer in Chinese, Japanese, Korean, Russian, German, French, Spanish,
Portuguese and Italian. Text in Latin letters alone passes through untouched but for these phrases.

Not covered: numbers in the words of these languages.
"""

from __future__ import annotations

import re

_SIGNS = str.maketrans(
    {
        "。": ". ", "．": ".", "、": ", ", "：": ": ", "；": "; ", "！": "! ", "？": "? ",
        "＞": ">", "＜": "<", "＄": "$", "【": " ", "】": ": ", "「": " ", "」": " ", "《": " ",
        "》": " ", "〈": "(", "〉": ")", "［": "[", "］": "]", "｛": "{", "｝": "}", "／": "/",
        "＊": "*", "｜": "|", "～": "~", "　": " ", "，": ", ",
    }
)  # fmt: skip
_SIGNS.update({0xFF21 + i: chr(ord("A") + i) for i in range(26)})
_SIGNS.update({0xFF41 + i: chr(ord("a") + i) for i in range(26)})
for _zero in (0x0660, 0x06F0, 0x0966, 0xFF10):  # Arabic, Persian, Devanagari, full width
    _SIGNS.update({_zero + i: str(i) for i in range(10)})
_CIRCLED = re.compile("[\u2460-\u2468]+")
# A number of its own or a formula before and after it makes these a list.
_OR = re.compile(r"\s*(?:或者?|または|또는|или)\s*")
_AND = re.compile(r"(?<=[$)\d])\s*(?:和|与|及|以及|と|и)\s*(?=[$(\\\d])")
_IS = (
    r"(?:正确)?答案(?:是|为|应?为)?|(?:故|应|本题|因此)选(?!择)|正确选项(?:是|为)?|答え?(?:は|:)|正解は|解答:?|"
    r"정답(?:은|는)?|답(?:은|:)|[Оо]твет|"
    r"(?:[Dd]ie )?(?:richtige )?[Aa]ntwort(?: ist| lautet)?|(?:[Ll]a )?[Rr]éponse(?: est| finale)?|"
    r"(?:[Ll]a )?[Rr]espuesta(?: es| final)?|(?:[AaLl]a? )?[Rr](?:esposta|isposta)(?: é| è)?"
)
_PHRASE = re.compile(rf"(?<![A-Za-zА-Яа-я])(?:{_IS})\s*[:：]?\s*(?=[\s$\\\d(\[{{*A-Za-z+-])")
_OTHER = re.compile(
    "[\u00c0-\u024f\u0400-\u04ff\u0660-\u06f9\u0966-\u096f\u2460-\u2468\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]"
)
_LATIN = ("ntwort", "espuesta", "esposta", "isposta")
# What ends a sentence in Japanese and Korean after its number says nothing.
_ENDS = re.compile(r"(?<=[\d$)*}])\s*(?:です|でした|입니다|이다|だ)(?=\W|$)")
_MARKUP = re.compile(r"<(sup|sub)>([^<>]{1,40})</\1>")


def translated(text: str) -> str:
    """A text with the answer phrases, signs and digits of other languages in English ones."""
    if "<su" in text:
        text = _MARKUP.sub(lambda m: ("^" if m[1] == "sup" else "_") + f"{{{m[2]}}}", text)
    if text.isascii():
        latin = any(word in text for word in _LATIN)
        return _PHRASE.sub(" The answer is ", text) if latin else text
    if not _OTHER.search(text):
        return text
    text = _CIRCLED.sub(lambda m: ", ".join(str(ord(c) - 0x245F) for c in m.group()), text)
    text = _ENDS.sub("", text.translate(_SIGNS))
    text = _AND.sub(", ", _OR.sub(" or ", text))
    return _PHRASE.sub(" The answer is ", text)
