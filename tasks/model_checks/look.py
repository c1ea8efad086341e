"""A look at a model before anything is paid for: can it be used as a run will use it?

Reads config.json, the headers of the weights and the tokenizer; loads no weights. Each rule
(rules.py) finds one thing that cannot work, and says it in a line with the field and the remedy.

Not covered: whether the model is any good, and what only an engine finds out when it starts.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tasks.errors import UserError
from tasks.model_checks import rules
from tasks.model_checks.files import check_weights, read_config, skeleton
from tasks.model_checks.question import Question
from tasks.model_checks.tokens import check_tokens
from tasks.processes.wire import Message, Wire, answer_requests

# In this order, and the first that is broken is said.
RULES: tuple[Callable[[rules.Facts], str | None], ...] = (
    rules.quantised,
    rules.device,
    rules.engines,
    rules.processes,
    rules.batch,
    rules.vllm,
    rules.delta_nets,
    rules.heads,
    rules.float16,
    rules.context,
    rules.places,
    rules.packing,
    rules.left_padding,
    rules.adapters,
    rules.sampling_memory,
    rules.training_memory,
)


def look(question: Question) -> None:
    """Look at a model.

    Raises:
        UserError: it cannot be used so; the first reason that was found.
    """
    folder = Path(question.folder)
    config, raw = read_config(folder, question.field)
    facts = rules.Facts(question, config, raw, skeleton(config))
    for rule in RULES:
        if found := rule(facts):
            raise UserError(found)
    if question.whole:
        check_weights(folder, question.field)
        check_tokens(question, config)


def main(wire: Wire) -> None:
    """Answer questions in a child process, which has what is imported for them."""

    def handle(request: Message, _: Wire) -> Message:
        look(Question.from_json(request))
        return {}

    answer_requests(wire, handle)
