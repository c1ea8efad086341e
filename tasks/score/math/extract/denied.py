"""Last sentences that name a value and do not say that it is the answer: denied, doubted, supposed.

"We cannot determine whether the answer is 8." "La respuesta no es 12." Read only where nothing is
boxed or marked: there the last number would be taken. Denials in English beside a value ("it is
not 17") are read with the value (sentences.py); "12, not 13" says 12 and is none of these.
"""

from __future__ import annotations

import re

# Sentences are looked at by their ends; more is a text without sentences.
_MAX = 300
_SENTENCE = re.compile(r"(?<=[.!?])\s+|[。！？\n]+")
_CLAUSE = re.compile(r"[,;:，；：、]\s*")
# A comma in brackets ends no clause.
_PAIR = re.compile(r"(?<=\d), ?(?=[^(),]*\))")
_VALUE = re.compile(r"\d|[二两三四五六七八九十百千]|\b[A-J]\b|[A-J](?=\W*$)|(?<=[选是])[A-J]")
# Up to the end of its clause.
_DOUBT = re.compile(
    r"\b(?:whether|unclear|unsure|false that|(?:not|n't) true that|far from"
    r"|(?:cannot|can't|could not|couldn't|not able to|unable to)"
    r" (?:determine|conclude|decide|say|tell)"
    r"|(?:nobody|no one) knows|doubt|(?:could|might|may) (?:also )?(?:be|equal))\b[^,;:]{0,60}$"
    r"|^(?:suppose|assume|let us (?:suppose|assume))\b[^,;:]{0,60}$",
    re.IGNORECASE,
)
# Of the whole sentence.
_TAKEN_BACK = re.compile(
    r"\b(?:contradiction|absurd)\W*$|\bor (?:\$[^$]{1,60}\$|\S{1,30}) if\b"
    r"|\bis (?:only |just |merely )?an? (?:lower|upper) bound\W*$"
    r"|\bwould (?:be|have been)\b.*\bbut (?:it|this|that|they) (?:is|was|does|do|did) ?n[o']t\W*$",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\bno (?:es|son|puede ser|pueden ser)\b|\bn[e'’] ?(?:est|sont|peut|peuvent) pas\b"
    r"|\b(?:ist|sind|kann|können|gleich) nicht\b|\bnão (?:é|são|pode ser)\b|\bnon (?:è|sono|può)\b"
    r"|(?<![а-я])не (?:рав|явл|мож|верн|\d)"
    r"|不是|不等于|不能等于|不可能|不选|并非|是否|无法确定|不能确定|不小于|不大于|不等於|無法確定"
    r"|(?:では|じゃ|で)(?:ありません|ない)|とは限ら|わからない|分からない"
    r"|아닙니다|아니다|아니에요|알 수 없",
    re.IGNORECASE,
)


def denied(text: str) -> bool:
    """Whether the last sentence names a value and does not say that it is the answer."""
    sentences = [one for one in _SENTENCE.split(text[-_MAX:].strip()) if one.strip()]
    last = sentences[-1].strip().rstrip(".!?*_ ") if sentences else ""
    if not _VALUE.search(last):
        return False
    clause = _CLAUSE.split(_PAIR.sub(" ", last))[-1]
    return bool(_DOUBT.search(clause) or _TAKEN_BACK.search(last) or _ELSEWHERE.search(clause))
