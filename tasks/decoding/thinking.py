"""Where a chat model has thought and where its answer begins.

Reasoning models write their thoughts first, between marks of their family, and the answer after
them. Some chat templates open the thoughts by themselves, at the end of the prompt.
"""

from __future__ import annotations

from typing import NamedTuple

UNCLOSED = -1  # the place of an answer that never came


class _Marks(NamedTuple):
    """What stands before and after thoughts."""

    opens: str
    closes: str
    # Whether what closes the thoughts also opens the answer, so that no answer goes without it.
    stays: bool = False


# By family, each as its chat template writes them.
_FAMILIES = (
    _Marks("<think>", "</think>"),  # Qwen3, DeepSeek-R1, SmolLM3, Phi-4-reasoning, GLM, and more
    _Marks("[THINK]", "[/THINK]"),  # Magistral
    _Marks("<seed:think>", "</seed:think>"),  # Seed-OSS
    _Marks("<|START_THINKING|>", "<|END_THINKING|>"),  # Command A
    _Marks("<|inner_prefix|>", "<|inner_suffix|>"),  # Apertus
    _Marks("<|channel|>analysis<|message|>", "<|channel|>final<|message|>", stays=True),  # gpt-oss
)


def answer_start(prompt: str, text: str) -> int:
    """Where the answer begins in a completion: 0 without thoughts, UNCLOSED where they never end.

    Args:
        prompt: As rendered; its end may open the thoughts.
        text: The completion.
    """
    for marks in _FAMILIES:
        if (place := text.rfind(marks.closes)) >= 0:
            return _after_spaces(text, place + len(marks.closes))
        if text.lstrip().startswith(marks.opens) or prompt.rstrip().endswith(marks.opens):
            return UNCLOSED
    return 0


def answer_in(prompt: str, text: str) -> str:
    """The answer of a completion; empty where its thoughts never end."""
    start = answer_start(prompt, text)
    return "" if start == UNCLOSED else text[start:]


def without_thoughts(prompt: str, text: str) -> str:
    """A completion as it would be, had the model not thought; empty where its thoughts never end.

    Where the prompt opens the thoughts they are closed at once, so that the answer follows.
    """
    start = answer_start(prompt, text)
    for marks in _FAMILIES:
        if start > 0 and (place := text.rfind(marks.closes)) >= 0:
            kept = marks.stays or prompt.rstrip().endswith(marks.opens)
            return text[place:] if kept else text[start:]
    return answer_in(prompt, text)


def _after_spaces(text: str, place: int) -> int:
    return len(text) - len(text[place:].lstrip())
