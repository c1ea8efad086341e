"""What a judge is asked, as an engine takes it: a text, the tokens of a rendered chat, or messages.

A hosted model takes turns alone: nobody can begin an answer for it. So where it has given a reason
it is asked for its choice in a turn of its own, with the words of `direct`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from tasks.compare.judge_prompt import JudgePrompt
from tasks.compare.label import Render
from tasks.decoding.policy_tokenizer import policy_tokenizer
from tasks.decoding.request import Sampling
from tasks.decoding.tokens import Prompt, prompt_ids
from tasks.errors import UserError
from tasks.prompts import Message, PromptTemplate


def renderer(
    folder: Path, prompt: JudgePrompt, *, as_tokens: bool = False
) -> tuple[Render, Callable[[Sampling], Sampling]]:
    """How a judge's prompts are made, and what its engine is told besides.

    Args:
        folder: Of the judge.
        prompt: Its template.
        as_tokens: Texts are given as tokens, for a server would put its own around them.

    Raises:
        UserError: the template is a chat, and the judge has no chat template.
    """
    if prompt.form == "text":
        if not as_tokens:
            return lambda asked, said: asked + said, lambda plain: plain
        tokenizer = policy_tokenizer(folder)
        return lambda asked, said: prompt_ids(tokenizer, [asked + said])[0], lambda plain: plain
    from tasks.decoding.chat import Chat

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


def hosted_renderer(prompt: JudgePrompt) -> tuple[Render, Callable[[Sampling], Sampling]]:
    """The same for a hosted judge: messages as JSON.

    Args:
        prompt: Its template; one of texts is a user's turn too.
    """

    def render(asked: str, said: str) -> Prompt:
        turns = [Message(role="system", content=prompt.system)] if prompt.system else []
        turns.append(Message(role="user", content=asked))
        if said:
            reason = said.removesuffix(prompt.after)
            turns.append(Message(role="assistant", content=reason))
            turns.append(Message(role="user", content=prompt.direct))
        return json.dumps(turns)

    return render, lambda plain: plain
