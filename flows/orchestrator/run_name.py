"""The name of a flow run: what a person called it, and else the id of the run.

Prefect gives every flow run a name, and does not say whether a person chose it. One of the kind
that it makes up itself (two words of its list, or what its form puts into the field) is no choice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from prefect.context import FlowRunContext

# What the form of Prefect 3.9 makes up is one of these, a hyphen and a short animal: Rustic-Zebra.
_ADJECTIVES = (
    *("Awesome", "Rustic", "Small", "Gorgeous", "Fantastic", "Sleek", "Intelligent", "Unbranded"),
    *("Refined", "Licensed", "Generic", "Practical", "Ergonomic", "Handcrafted", "Tasty"),
    *("Handmade", "Incredible"),
)
_OF_THE_FORM = re.compile(rf"({'|'.join(_ADJECTIVES)})-[A-Z]\S{{1,5}}")


def is_made_up(name: str) -> bool:
    """Whether Prefect made the name up: its server, its client or its form."""
    from coolname.data import config  # Prefect's own source of names

    if _OF_THE_FORM.fullmatch(name):
        return True
    known = {word for part in config.values() for word in part.get("words", ())}
    words = name.split("-")
    return len(words) == 2 and all(word in known for word in words)


def named_by(run_id: Callable[[Any], str]) -> Callable[[], str]:
    """A `flow_run_name` for Prefect.

    Args:
        run_id: Of a configuration, the flow's one parameter.
    """

    def name() -> str:
        context = FlowRunContext.get()
        assert context and context.flow_run and context.parameters, "Prefect names runs in one"
        given = context.flow_run.name
        return run_id(context.parameters["config"]) if is_made_up(given) else given

    return name
