"""A plain OpenAI-compatible server around a tiny transformers model, as others write them.

What a request does not say it takes from the model's generation_config.json. It may refuse fields
that it does not know, pass them over, or cap the length of completions.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.decoding.request import Sampling
from tasks.generate.transformers_engine import TransformersEngine
from tests.tasks.generate.json_server import Reply, listening

_NUMBERS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "seed")
_READ = {
    *(*_NUMBERS, "presence_penalty", "frequency_penalty", "stop", "stop_token_ids"),
    *("skip_special_tokens", "model", "prompt", "max_tokens", "min_tokens", "stream"),
}
_OF_ITS_OWN = {"top_k": 0, "top_p": 1.0, "temperature": 1.0, "seed": 0}


@dataclass
class PlainServer:
    """The server, and what it was asked.

    Attributes:
        passed_over: Fields that it does not read, and takes from the model's defaults.
        refused: Fields that it answers with status 400.
        cap: Most tokens of a completion; 0: as many as are asked for.
        says_cap: It knows `min_tokens`, and refuses more than its cap, as vLLM does.
    """

    model: Path
    name: str
    passed_over: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    cap: int = 0
    says_cap: bool = True
    address: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def wrong(self, body: dict[str, Any]) -> str:
        """Why a request is refused; empty: it is not."""
        for name, value in body.items():
            if name in self.refused or name not in _READ:
                return f"{name}: extra fields not permitted"
            if name not in self.passed_over and isinstance(value, dict):
                return f"{name}: not a number"
        if self.cap and self.says_cap and body.get("min_tokens", 0) > self.cap:
            return f"min_tokens must be less than or equal to max_tokens={self.cap}"
        return ""

    def sampling(self, body: dict[str, Any]) -> tuple[Sampling, int]:
        """How a request is sampled, and its seed."""
        config = json.loads((self.model / "generation_config.json").read_text())
        said = {name: one for name, one in body.items() if name not in self.passed_over}
        value = {name: said.get(name, config.get(name, own)) for name, own in _OF_ITS_OWN.items()}
        tokens = min(body["max_tokens"], self.cap or body["max_tokens"])
        return (
            Sampling(
                temperature=value["temperature"],
                top_k=max(0, value["top_k"]),
                top_p=value["top_p"],
                max_tokens=tokens,
                stop=tuple(body.get("stop", ())),
            ),
            value["seed"],
        )


@contextmanager
def serving(server: PlainServer) -> Iterator[PlainServer]:
    """The server at a free port, for the length of the block."""
    engine = TransformersEngine(
        server.model, device="cpu", dtype="float32", threads=1, batch_size=8
    )
    one = threading.Lock()

    def answer(body: dict[str, Any]) -> Reply:
        server.bodies.append(body)
        if why := server.wrong(body):
            return 400, {"error": {"message": why}}
        if body.get("stream"):
            return 200, {}
        sampling, seed = server.sampling(body)
        with one:
            (made,) = engine.sample([body["prompt"]], [(0, seed)], sampling)
        choice = {"text": made.text, "finish_reason": made.finish}
        return 200, {"choices": [choice], "usage": {"completion_tokens": made.tokens}}

    try:
        with listening(server.name, answer) as server.address:
            yield server
    finally:
        engine.close()
