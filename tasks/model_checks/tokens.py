"""Whether a model's tokenizer and its places fit the prompts of a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.decoding.chat import Chat
from tasks.decoding.tokens import end_id, prompt_ids
from tasks.errors import UserError
from tasks.model_checks.question import OF_RUNS, Fields, Question, Shortest
from tasks.prompts import PromptTemplate, load_template

if TYPE_CHECKING:
    from transformers import PreTrainedConfig
    from transformers import PreTrainedTokenizerBase as Tokenizer


def check_tokens(question: Question, config: PreTrainedConfig) -> None:
    """See that the tokenizer is there and ends texts, and that the shortest prompt has room.

    Raises:
        UserError: a field does not fit the model.
    """
    from transformers import AutoTokenizer

    folder, field = Path(question.folder), question.field
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # tokenizers fail in many ways
        why = " ".join(str(error).split())[:100]
        raise UserError(
            f"{field}: its tokenizer cannot be read ({type(error).__name__}: {why}); expected "
            "tokenizer.json or tokenizer.model beside config.json"
        ) from None
    shortest = question.shortest
    with _naming(question.fields):
        template = load_template(question.prompt)
        chat = Chat(folder, template) if template.form == "chat" else None
        end = end_id(tokenizer, chat=chat is not None)
        if shortest is None:
            return
        sampled = _ids(tokenizer, chat, template, shortest, shortest.shots)
    size = config.get_text_config().vocab_size
    if (most := max([end, *sampled])) >= size:
        raise UserError(
            f"{field}: its tokenizer has a token {most} and the model embeds {size:,}; expected "
            "the tokenizer that the model was trained with"
        )
    _check_room(question, config, len(sampled))
    if question.finetune is not None:
        trained = len(_ids(tokenizer, chat, template, shortest, shortest.tuned_shots))
        limit = question.finetune.max_length
        # A row has a token of a completion and the end at least.
        if trained + 2 > limit:
            raise UserError(
                f"finetune.max_length: the shortest prompt alone has {trained:,} tokens, so that "
                f"all rows are longer than {limit:,}; expected more, or fewer model.tuned_shots"
            )


def _ids(
    tokenizer: Tokenizer,
    chat: Chat | None,
    template: PromptTemplate,
    shortest: Shortest,
    shots: int,
) -> list[int]:
    render = chat.render if chat else template.render
    text = render(shortest.question, shots, shortest.subject)
    return prompt_ids(tokenizer, [text], chat=chat is not None)[0]


def _check_room(question: Question, config: PreTrainedConfig, prompt: int) -> None:
    places = getattr(config.get_text_config(), "max_position_embeddings", None)
    if places and prompt + question.max_tokens > places:
        fields, fitting = question.fields, max(0, places - prompt)
        raise UserError(
            f"{fields.max_tokens}: the shortest prompt has {prompt:,} tokens, and with "
            f"{question.max_tokens:,} more it does not fit into the model's {places:,} positions; "
            f"expected {fields.remedy or f'at most {fitting:,}'}"
        )


@contextmanager
def _naming(fields: Fields) -> Iterator[None]:
    """What a template or a tokenizer refuses names the field that asked for it."""
    try:
        yield
    except UserError as error:
        named = OF_RUNS.prompt + ":"
        text = str(error)
        if not text.startswith(named):
            raise
        raise UserError(f"{fields.prompt}:{text.removeprefix(named)}") from None
