"""A hosted model: which one, at which address, and how this process may ask it.

The protocol is OpenAI's chat completions, which most services and servers speak. OPENAI_BASE_URL
says where (the default is OpenAI's own address) and OPENAI_API_KEY is the key. Model and address
decide the samples, so they are an artifact whose digest stands in the keys of samples. The key
stands nowhere: it is read when requests are sent, and taken out of all that a service answers.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit

from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.errors import UserError
from tasks.facts import FactsFile
from tasks.settings import HOSTED
from tasks.store.manifest import Stats
from tasks.store.store import Draft

ADDRESS, KEY = "OPENAI_BASE_URL", "OPENAI_API_KEY"
DEFAULT_ADDRESS = "https://api.openai.com/v1"
# `engine` of a generate step whose samples a hosted model draws.
ENGINE = "openai"


@dataclass(frozen=True)
class HostedModel(FactsFile):
    """What decides the samples of a hosted model, beside the request.

    Attributes:
        model: Its name at the service.
        address: Of the service, as in OPENAI_BASE_URL and without a slash at its end.
    """

    FILE: ClassVar[str] = "hosted.json"

    model: str
    address: str

    @property
    def host(self) -> str:
        """Of the address, for messages."""
        return urlsplit(self.address).netloc


def base_address() -> str:
    """Where the service is.

    Raises:
        UserError: OPENAI_BASE_URL is no plain address. It is not shown: it may hold a password.
    """
    given = (os.environ.get(ADDRESS) or DEFAULT_ADDRESS).rstrip("/")
    parts = urlsplit(given)
    plain = not (parts.username or parts.password or parts.query or parts.fragment)
    if parts.scheme not in ("http", "https") or not parts.hostname or not plain:
        raise UserError(
            f"{ADDRESS}: expected http:// or https://, a host and a path, such as "
            f"{DEFAULT_ADDRESS}, without user, password or query"
        )
    return given


def api_key() -> str:
    """The key; empty for a service at an address of one's own that asks for none.

    Raises:
        UserError: there is none, and the service asks for one.
    """
    key = os.environ.get(KEY, "").strip()
    if not key and base_address() == DEFAULT_ADDRESS:
        raise UserError(f"{KEY}: not set; a hosted teacher at {DEFAULT_ADDRESS} asks for a key")
    if not key.isascii() or not key.isprintable():
        raise UserError(f"{KEY}: expected printable ASCII characters")
    return key


def hosted_addresses(model: str) -> list[tuple[str, str]]:
    """The address that a configuration has computed for it, by the name of where it is set."""
    return [(ADDRESS, base_address())] if model else []


def hosted_call(model: str) -> Call:
    """The call that notes which hosted model draws the samples.

    Args:
        model: Its name at the service.

    Raises:
        UserError: OPENAI_BASE_URL is no address.
    """
    return Call(hosted_model, f"{HOSTED}{model}", {"model": model, "address": base_address()})


@step("hosted_model", "model")
def hosted_model(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Note model and address, and see that there is a key before anything is computed."""
    api_key()
    HostedModel(**call.settings).write(draft.path)
    draft.stats = Stats(source=f"{HOSTED}{call.settings['model']}")
