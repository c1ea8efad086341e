"""Prompts of a chat model: conversations as the policy's own chat template renders them.

A rendered prompt is a text with the template's control tokens in it, and goes through all steps as
one: rows hold it, engines are given its tokens (tokens.py), and nothing is added to these, neither
a second begin-of-text token nor an end.

What a template shows besides the conversation is held still: the date is `DATE`, because the prompt
of a training row is rendered on another day than the one that was sampled from. A question may
spell a control token; it is asked about as text and does not act as one: `_BREAK` stands behind its
first character.

Not covered: tools, documents, images, several templates in one tokenizer (its default is taken).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.decoding.policy_tokenizer import policy_tokenizer
from tasks.decoding.request import Sampling
from tasks.decoding.tokens import Prompt, end_id, prompt_ids
from tasks.errors import UserError
from tasks.prompts import Message, PromptTemplate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

# What a template that shows the date is told; the one that Llama 3's shows where it knows none.
DATE = datetime(2024, 7, 26)
_DIRECTIVES = ("-d", "-m", *"aAbBdHIjmMpSuUwWyY")
# A template's own `strftime_now` gives today's date, and stands before any that it is given. An
# expression at its end, because a line's end behind a block would be taken away.
_CLOCK = (
    "{%- macro strftime_now(form) -%}{{ form"
    + "".join(f" | replace('%{one}', '{DATE.strftime('%' + one)}')" for one in _DIRECTIVES)
    + " }}{%- endmacro %}{{ '' }}"
)
# A space without width.
_BREAK = "\u200b"
_REFUSED_SHOWN = 120  # characters of a template's own words


class Chat:
    """The chat template of one policy, with what a configuration asks of it."""

    def __init__(self, folder: Path, template: PromptTemplate) -> None:
        """Read a policy's tokenizer.

        Args:
            folder: Of the policy.
            template: Of form chat.

        Raises:
            UserError: the policy has no chat template, or it knows nothing of thinking and is told
                to think or not to.
        """
        self._template = template
        self._tokenizer = policy_tokenizer(folder)
        try:
            written = str(self._tokenizer.get_chat_template())
            self._written = _CLOCK + written if "strftime_now" in written else written
        except ValueError:
            raise UserError(
                f"model.prompt: {template.name} needs a model with a chat template, and the "
                "tokenizer of this one has none; expected an instruct model, or a prompt "
                "template of text"
            ) from None
        self._control, self._asked_control = _control_tokens(self._tokenizer, written)
        self._asked: dict[str, bool] = {}
        if template.thinking != "default":
            self._asked = _thinking(template.thinking == "on")
            self._see_that_it_thinks()

    def render(self, question: str, shots: int, subject: str = "") -> str:
        """The prompt for a question, up to where the assistant's turn begins.

        Args:
            question: Text of the problem.
            shots: Exemplars shown as turns, at most those there are.
            subject: Of the problem; chooses the part of a template that has subjects.

        Raises:
            UserError: the policy's template takes no system text, or no such conversation.
        """
        *before, last = self._template.messages(question, shots, subject)
        said = [{**one, "content": _plain(one["content"], self._control)} for one in before]
        said.append({**last, "content": _plain(last["content"], self._asked_control)})
        try:
            rendered = self._rendered(said)
        except Exception as error:  # whatever a template does, it is not our program
            raise self._refusal(said, error) from None
        for message in said:
            # What an assistant said may lose its thoughts once another question is asked.
            if message["role"] != "assistant" and message["content"].strip() not in rendered:
                raise UserError(
                    f"model.prompt: the model's chat template leaves out the {message['role']} "
                    f"text of {self._template.name}"
                    + (_HOW_SYSTEM if message["role"] == "system" else "")
                )
        return rendered

    def ids(self, prompts: Sequence[str]) -> list[Prompt]:
        """Tokens of rendered prompts, for an engine."""
        return list(prompt_ids(self._tokenizer, prompts, chat=True))

    def sampling(self, plain: Sampling) -> Sampling:
        """Settings with the tokens that end an assistant's turn, and texts with all their tokens.

        Marks of thoughts are special tokens in some families.
        """
        return replace(plain, ends=self.ends, special=True)

    @property
    def ends(self) -> tuple[int, ...]:
        """Tokens that end an assistant's turn."""
        return (end_id(self._tokenizer, chat=True),)

    def _rendered(self, said: list[Message], **asked: bool) -> str:
        options: dict[str, Any] = {**self._asked, **asked}
        return str(
            self._tokenizer.apply_chat_template(
                said,
                tokenize=False,
                add_generation_prompt=True,
                chat_template=self._written,
                date_string=DATE.strftime("%d %b %Y"),
                **options,
            )
        )

    def _refusal(self, said: list[Message], error: Exception) -> UserError:
        """Which part of a conversation the template does not take."""
        why = " ".join(str(error).split())[:_REFUSED_SHOWN]
        if said[0]["role"] == "system" and self._takes(said[1:]):
            return UserError(
                f"model.system: the model's chat template takes no system text ({why}){_HOW_SYSTEM}"
            )
        if len(said) > 1 and self._takes(said[-1:]):
            return UserError(
                f"model.shots: the model's chat template takes no exemplars as turns ({why}); "
                "expected 0"
            )
        return UserError(
            f"model.prompt: the model's chat template does not render {self._template.name} ({why})"
        )

    def _takes(self, said: list[Message]) -> bool:
        try:
            return bool(self._rendered(said))
        except Exception:
            return False

    def _see_that_it_thinks(self) -> None:
        said = [Message(role="user", content="?")]
        if not self._takes(said):
            return  # which `render` says better
        if self._rendered(said, **_thinking(True)) == self._rendered(said, **_thinking(False)):
            raise UserError(
                f"model.thinking: {self._template.thinking}: the model's chat template knows no "
                "thinking on or off; expected default"
            )


_HOW_SYSTEM = (
    "; expected model.system and the template's system to be empty, with what it says in the "
    "template's query"
)


def _thinking(on: bool) -> dict[str, bool]:
    """What templates are told: most know the first name, Granite's and DeepSeek's the second."""
    return {"enable_thinking": on, "thinking": on}


def _control_tokens(tokenizer: Tokenizer, written: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The special tokens, and with them the other added tokens that a template writes.

    White space is left out: some tokenizers have runs of it as added tokens, which are text.
    """
    added = [one for one in tokenizer.added_tokens_decoder.values() if one.content.strip()]
    special = [one.content for one in added if one.special]
    return _any_of(special), _any_of(
        [*special, *(a.content for a in added if a.content in written)]
    )


def _any_of(texts: Sequence[str]) -> re.Pattern[str]:
    """Matches any of these; of several that begin at one place the longest. Of none: nothing."""
    longest_first = sorted({*texts}, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")


def _plain(text: str, control: re.Pattern[str]) -> str:
    """A text whose control tokens are broken up."""
    while (found := control.search(text)) is not None:
        text = text[: found.start() + 1] + _BREAK + text[found.start() + 1 :]
    return text
