"""What of a text is its author's word: not thoughts, chat marks, or what runs on after the answer.

Thoughts that never end hold no answer: a model that was cut off while thinking has said nothing. A
next question that a base model goes on to ask itself, and its answer, are not this answer.

Not covered: thoughts without marks around them.
"""

from __future__ import annotations

import re

_OPEN = re.compile(r"<(think|thinking|thought|reasoning)>|◁think▷", re.IGNORECASE)
_CLOSE = re.compile(r"</(think|thinking|thought|reasoning)>|◁/think▷", re.IGNORECASE)
_BOX = re.compile(r"<\|begin_of_box\|>(.*?)(?:<\|end_of_box\|>|$)", re.DOTALL)
# Where a turn of a chat ends; what a model writes after it is no part of its answer.
_TURN_ENDS = r"<\|(?:endoftext|im_end|eot_id|end_of_text)\|>"
_MARKS = re.compile(r"<\|?(?:eoe|eoa|eot_id|end|im_end|endoftext|end_of_text|end_of_sentence)\|?>")
_MARKED = re.compile(r"####\s*\S|\\boxed\s*\{|\banswer(?:\*\*)?(?:\s+is|\s*:)", re.IGNORECASE)
_NEXT = re.compile(
    rf"{_TURN_ENDS}|\n\s*(?:(?:\*\*|#+\s*)?(?:Question|Problem|Exercise|Q|Human|User|Instruction)"
    r"(?:\s*\d{1,4})?\s*(?:\*\*)?:(?!\S)|#+ *(?:Question|Problem|Exercise)(?: *\d{1,4})? *\n)"
)
# What a next question has in it: most texts have none of these.
_NEXT_SIGNS = (
    "uestion", "roblem", "xercise", "\nQ", "uman:", "ser:", "nstruction", "|>", " Q", "*Q", "#Q",
)  # fmt: skip


def finished(text: str) -> str:
    """A text without thoughts, marks and a run-on; empty where it is a thought that never ends."""
    if "<" in text or "◁" in text:
        text = _said(text)
        text = _BOX.sub(lambda box: f"\\boxed{{{box[1].strip()}}}", text)
    for sign in _NEXT_SIGNS:
        if sign in text:
            text = _without_next(text)
            break
    return _MARKS.sub(" ", text) if "<" in text else text


def _without_next(text: str) -> str:
    marked = _MARKED.search(text)
    following = _NEXT.search(text, marked.end()) if marked else None
    return text[: following.start()] if following else text


def _said(text: str) -> str:
    ends = [match.end() for match in _CLOSE.finditer(text)]
    after = text[ends[-1] :] if ends else text
    if opened := _OPEN.search(after):
        return after[: opened.start()]
    # All is between the marks: a model that puts its answer there.
    return after if after.strip() or not ends else _OPEN.sub("", _CLOSE.sub("", text))
