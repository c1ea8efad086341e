"""What a judge is asked, as an engine takes it: a text, or the tokens of a rendered chat."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tasks.compare.judge_prompt import JudgePrompt
from tasks.compare.label import Render
from tasks.decoding.request import Sampling
from tasks.errors import UserError
from tasks.prompts import PromptTemplate


def renderer(folder: Path, prompt: JudgePrompt) -> tuple[Render, Callable[[Sampling], Sampling]]:
    """How a judge's prompts are made, and what its engine is told besides.

    Args:
        folder: Of the judge.
        prompt: Its template.

    Raises:
        UserError: the template is a chat, and the judge has no chat template.
    """
    if prompt.form == "text":
        return lambda asked, said: asked + said, lambda plain: plain
    from tasks.decoding.chat import Chat, policy_tokenizer

    if not policy_tokenizer(folder).chat_template:
        raise UserError(
            f"judge.prompt: {prompt.name} needs a judge with a chat template, and the tokenizer of "
            "this one has none; expected an instruct model, or a template of text"
        )
    # The whole of what is asked is the user's message: marks of control in it act as text.
    template = PromptTemplate(
        name=prompt.name,
        preamble=prompt.system,
        example="{solution}",
        query="{question}",
        stop=prompt.stop,
        exemplars=(),
        subjects={},
        digest=prompt.digest,
        form="chat",
    )
    chat = Chat(folder, template)
    return lambda asked, said: chat.ids([chat.render(asked, 0) + said])[0], chat.sampling
