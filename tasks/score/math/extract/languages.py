"""Answers in other scripts and languages, brought to the signs and words that the rules know.

Chinese, Japanese and Korean punctuation, full-width letters, circled digits, Arabic digits; the
phrases that name an answer, and the words for bounds, in Chinese, Japanese, Korean, Russian,
German, French, Spanish and other languages. Text in Latin letters alone passes through untouched
but for these phrases. What bounds a number in Latin letters is in parse/changing.py.

Not covered: numbers in the words of these languages, but for Chinese (numerals.py).
"""

from __future__ import annotations

import re

from tasks.score.math.extract.numerals import in_digits, with_digits

_SIGNS = str.maketrans(
    {
        "。": ". ", "．": ".", "、": ", ", "：": ": ", "；": "; ", "！": "! ", "？": "? ",
        "＞": ">", "＜": "<", "＄": "$", "【": " ", "】": ": ", "「": " ", "」": " ", "《": " ",
        "》": " ", "〈": "(", "〉": ")", "［": "[", "］": "]", "｛": "{", "｝": "}", "／": "/",
        "＊": "*", "｜": "|", "～": "~", "　": " ", "，": ", ", "（": "(", "）": ")", "％": "%",
        "∴": " ", "٫": ".", "٬": ",",
    }
)  # fmt: skip
_SIGNS.update({0xFF21 + i: chr(ord("A") + i) for i in range(26)})
_SIGNS.update({0xFF41 + i: chr(ord("a") + i) for i in range(26)})
for _zero in (0x0660, 0x06F0, 0x0966, 0xFF10):  # Arabic, Persian, Devanagari, full width
    _SIGNS.update({_zero + i: str(i) for i in range(10)})
_POINT = re.compile(r"(?<=[０-９])．(?=[０-９])")
_CIRCLED = re.compile("[\u2460-\u2468]+")
# A number of its own or a formula before and after it makes these a list.
_OR = re.compile(r"\s*(?:或者?|または|もしくは|또는|혹은|или)\s*")
_AND = re.compile(r"\s*[并並]?且\s*|(?<=[$)\d])\s*(?:和|与|及|以及|と|와|과|и)\s*(?=[$(\\\d])")
_BETWEEN_CHOICES = re.compile(r"(?<=[A-J])\s*[和与及]\s*(?=[A-J](?![A-Za-z]))")
_IS = "|".join(
    (
        r"(?:正确|最终|标准)?答案(?:选|是|为|应?为)?(?:选?项)?",
        "(?:故|应|本题|因此|所以)选(?!择|项)|选(?:项|择)?(?=[A-J(])",
        "正确选项(?:是|为)?|正确的(?:选项|答案)?是",
        "(?:最終的な)?答え?(?:は|:| )|正解(?:は|:)|解答:?|答:",
        "(?:최종 )?(?:정답|답)(?:은|는|:)",
        r"(?:[Пп]равильный |[Оо]кончательный )?[Оо]твет(?:\s*[—–-]|\s+равен)?",
        "(?:الإجابة|الجواب|الناتج)(?: النهائية| النهائي| الصحيحة)?(?: هي| هو)?",
        "(?:[Dd]ie )?(?:richtige |endgültige )?(?:[Aa]ntwort|[Ll]ösung)(?: ist| lautet)?",
        "(?:[Dd]as )?[Ee]rgebnis(?: ist| lautet)?",
        "(?:[Ll]a )?(?:[Rr]éponse|[Ss]olution)(?: finale)?(?: est)",
        r"(?:[Ll]a )?[Rr]éponse(?: finale)?",
        "(?:[Ll]a )?(?:[Rr]espuesta|[Ss]olución)(?: final| correcta)?(?: es)?",
        "(?:[Ee]l )?[Rr]esultado(?: final)?(?: es)?",
        "(?:[AaLl]a? )?[Rr](?:esposta|isposta)(?: finale?)?(?: é| è)?",
        "(?:Đáp (?:án|số)|[Cc]âu trả lời|[Kk]ết quả)(?: cuối cùng| đúng)?(?: là)?",
        "Odpowiedź(?: to)?|Cevap|Jawaban(?:nya)?(?: adalah)?|उत्तर(?: है)?|উত্তর",
        "(?:[Hh]et )?[Aa]ntwoord(?: is)?|[Ss]var(?:et)?(?: är| er)?|Odpověď(?: je)?|Vastaus",
        "Відповідь|Răspuns(?:ul)?(?: este)?|Válasz|Απάντηση|คำตอบ(?:คือ)?|התשובה(?: היא)?|پاسخ",
    )
)
_PHRASE = re.compile(
    rf"(?<![A-Za-zÀ-ɏА-я\u0600-\u06ff])(?:{_IS})\s*[:：]?\s*(?=[\s$\\\d(\[{{*A-Za-z+-])"
)
_OTHER = re.compile(
    "[\u00c0-\u024f\u0370-\u04ff\u0590-\u06ff\u0900-\u09ff\u0e00-\u0e7f\u1e00-\u1eff"
    "\u2234\u2460-\u2468"
    "\u3000-\u9fff\uac00-\ud7af\uff00-\uffef]"
)
_EAST = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_ASCII = (
    "ntwort", "espuesta", "esposta", "isposta", "rgebnis", "esultado", "evap", "awaban", "ntwoord",
    "astaus", "svar", "Svar",
)  # fmt: skip
# What ends a sentence in Japanese and Korean after its number says nothing.
_ENDS = re.compile(
    r"(?<=[\dA-J$)*}])\s*(?:です|でした|である|となる|になります|だ"
    r"|입니다|이다|이므로|가 된다)(?=\W|$)"
)
# Words before a number in Chinese, Japanese and Korean that make another value of it, or none.
_BOUNDS = tuple(
    (re.compile(rf"(?:{words})(?:有|是|为)?\s*(?=[-$\\\d(])"), sign)
    for words, sign in (
        ("至少|不少于|不低于|少なくとも|最低でも|최소한?|적어도", " at least "),
        ("至多|最多|不超过|不多于|多くとも|最大でも|많아야|최대", " at most "),
        ("大于|超过|多于", " more than "),
        ("小于|少于|不到|不足|未满", " less than "),
        ("大?约为?|大概|近似(?:为|于)?|将近|約|およそ|약|대략", " about "),
        ("负|負|マイナス", "-"),
        (
            "(?m:^|(?<=[:：]))\\s*(?:(?:一?共|总共|合计|總共|合計|총|모두)计?|还?剩下?|还?需要?|(?=有))",
            "",
        ),
    )
)
# "选项A正确"
_RIGHT = re.compile(
    r"^选?项?\s*([A-J])(?:选?项)?\s*(?:正确|是正确的|为正确答案|が正しい|が正解)\s*[.。]?\s*$"
)
# 充分不必要, with 条件 or without, and the sentence before it.
_CONDITION = re.compile(
    r"(?:^|(?<=\s))(?:(?![不非否])[\u3400-\u9fff“”]|(?<![A-Za-z])[A-Za-z](?![A-Za-z])){0,20}?"
    r"(充分不必要|必要不充分|充要|充分必要|既不充分[也又]不必要)(?:的?条件)?(?=\W*$)"
)
# 第一空：1；第二空：2
_BLANK = re.compile(r"第([一二三四五])(?:空|问|小题)[是为填]?\s*[:：]?\s*")
_CYRILLIC = re.compile("[а-я]")
_EQUALS = re.compile(
    r"(?<=[а-я])(?<! не) (?:рав(?:ен|н[аоы])|составля[ею]т|составит)\s+(?=[-$\\\d])"
)
_MINUS = re.compile(r"(?<![А-яё])(?<!плюс[ -])минус\s+(?=[$\d])")
_MARKUP = re.compile(r"<(sup|sub)>([^<>]{1,40})</\1>")


def translated(text: str) -> str:
    """A text with the answer phrases, signs and digits of other languages in English ones."""
    if "<su" in text:
        text = _MARKUP.sub(lambda m: ("^" if m[1] == "sup" else "_") + f"{{{m[2]}}}", text)
    if text.isascii():
        for word in _ASCII:
            if word in text:
                return _PHRASE.sub(" The answer is ", text)
        return text
    if not _OTHER.search(text):
        return text
    text = _CIRCLED.sub(lambda m: ", ".join(str(ord(c) - 0x245F) for c in m.group()), text)
    text = _POINT.sub(".", text).translate(_SIGNS)
    if _EAST.search(text):
        text = with_digits(in_digits(_RIGHT.sub(r"(\1)", _ENDS.sub("", text)).strip()))
        if "第" in text:
            text = _BLANK.sub(lambda m: f"({'一二三四五'.index(m[1]) + 1}) ", text)
        text = _CONDITION.sub(r"\1条件", text)
        text = _BETWEEN_CHOICES.sub(", ", text)
        for words, sign in _BOUNDS:
            text = words.sub(sign, text)
    if _CYRILLIC.search(text):
        text = _MINUS.sub("-", _EQUALS.sub(" is ", text))
    text = _AND.sub(", ", _OR.sub(" or ", text))
    return _PHRASE.sub(" The answer is ", text)
