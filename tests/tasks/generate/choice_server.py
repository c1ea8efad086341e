"""A server of completions around a tiny model, with one way or another to log-probabilities."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.tasks.decoding.decoding_parts import make_model, make_tokenizer
from tests.tasks.generate.json_server import Reply, listening

POSITIONS = 512


@dataclass
class ChoiceServer:
    """The server, and what it was asked.

    Attributes:
        takes: Of logprob_token_ids, echo, logprobs those that it reads; others are passed over.
        refuses: Whether it answers with status 400 where it does not read a field of them.
        most: The most likeliest tokens that it gives.
        form: `completions`, or `content` as llama.cpp's server has it.
    """

    takes: frozenset[str]
    refuses: bool = False
    most: int = 20
    form: str = "completions"
    name: str = "the-digest"
    address: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.model, self.tokenizer = make_model(positions=POSITIONS), make_tokenizer()

    def answer(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and body of an answer."""
        import torch

        asked = {"logprob_token_ids", "echo", "logprobs"} & body.keys()
        if self.refuses and (wrong := asked - self.takes):
            return 400, {"error": {"message": f"{min(wrong)}: extra fields not permitted"}}
        if len(body["prompt"]) >= POSITIONS:
            return 400, {"error": {"message": "the prompt is too long"}}
        if "logprobs" in asked and body["logprobs"] > self.most:
            return 400, {"error": {"message": f"logprobs: at most {self.most}"}}
        read, ids = asked & self.takes, body["prompt"]
        with torch.no_grad():
            known = self.model(torch.tensor([ids])).logits[0].log_softmax(-1)
        choice: dict[str, Any] = {"text": "x", "finish_reason": "length"}
        if "logprob_token_ids" in read:
            values = {f"token_id:{one}": float(known[-1, one]) for one in body["logprob_token_ids"]}
            choice["logprobs"] = {"top_logprobs": [values]}
        elif "echo" in read:
            values = [float(known[n - 1, ids[n]]) for n in range(1, len(ids))]
            choice["logprobs"] = {"token_logprobs": [None, *values, 0.0]}
        elif "logprobs" in read:
            values, places = known[-1].topk(body["logprobs"])
            texts = [self.tokenizer.decode([int(one)]) for one in places]
            top = dict(zip(texts, values.tolist(), strict=True))
            listed = [{"token": text, "logprob": value} for text, value in top.items()]
            choice["logprobs"] = (
                {"top_logprobs": [top]}
                if self.form == "completions"
                else {"content": [{"token": texts[0], "top_logprobs": listed}]}
            )
        return 200, {"choices": [choice], "usage": {"completion_tokens": 1}}


@contextmanager
def serving(server: ChoiceServer) -> Iterator[ChoiceServer]:
    """The server at a free port, for the length of the block."""
    one = threading.Lock()

    def answer(body: dict[str, Any]) -> Reply:
        with one:
            server.bodies.append(body)
            return server.answer(body)

    with listening(server.name, answer) as server.address:
        yield server
