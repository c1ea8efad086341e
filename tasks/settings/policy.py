"""Section `model`: the base policy and its prompt."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from tasks.settings.place import Place
from tasks.settings.section import Section


class ModelSettings(Section):
    """The base policy and how it is prompted."""

    LATER: ClassVar[frozenset[str]] = frozenset({"system", "thinking"})
    LATEST: ClassVar[frozenset[str]] = LATER

    base: Place = Field(
        default="embedded:tiny-math",
        description="The base policy p0: `embedded:NAME` (shipped), a folder, a .gguf file, "
        "`package:MODULE` (a Python package that has or assembles a GGUF file), or a Hub id, which "
        "may have a revision behind it (org/name@REVISION).",
    )
    revision: str = Field(
        default="main", description="Revision of the Hub id in `base`: a branch, tag or commit."
    )
    prompt: Place = Field(
        default="tiny_math",
        description="Prompt template: a name in tasks/generate/prompts or a TOML file. `chat`: the "
        "question alone, through the chat template of an instruct model (docs/chat.md).",
    )
    system: str = Field(
        default="",
        description="System text before the conversation, of a chat prompt; empty: what the prompt "
        "template has.",
    )
    thinking: Literal["default", "on", "off"] = Field(
        default="default",
        description="Whether a chat model is asked to think before it answers; `default`: as it "
        "does by itself. Only where its chat template knows both.",
    )
    shots: int = Field(
        default=-1,
        ge=-1,
        le=64,
        description="Exemplars in the base policy's prompt; -1: all of the template.",
    )
    tuned_shots: int = Field(
        default=-1,
        ge=-1,
        le=64,
        description="Exemplars in the prompt that fine-tuned policies are trained on and sampled "
        "with; -1: as many as `shots` (the paper). Fewer makes training cheaper.",
    )
    dtype: Literal["float32", "bfloat16", "float16"] = Field(
        default="float32",
        description="Number format in sampling. float32 is right on CPU, bfloat16 on GPU.",
    )
