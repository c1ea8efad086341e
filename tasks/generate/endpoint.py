"""One address that samples: whose policy it has, and how it is asked for ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field

import httpx

from tasks.errors import UserError
from tasks.generate.addresses import FIELD, refusal, requests_at
from tasks.generate.engine_token import TOKEN, token_for
from tasks.settings.vllm_args import VllmArgs
from tasks.store.store import ArtifactRef

# Loading a policy takes minutes where it is large.
LOAD_SECONDS = 3600.0
# A server that failed is asked again after so long.
REST_SECONDS = 5.0


class NotStarted(Exception):
    """Why a server's engine did not start with the policy."""


@dataclass(frozen=True)
class EngineOptions:
    """What a server that starts vLLM is told beside the policy.

    Attributes:
        dtype: Number format of weights and activations.
        batch_size: Sequences at once.
        vllm_args: Of `sampling.vllm_args`.
    """

    dtype: str
    batch_size: int
    vllm_args: VllmArgs = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """As a server is told, which may be of a version without further arguments."""
        plain = asdict(self)
        return plain if self.vllm_args else {k: v for k, v in plain.items() if k != "vllm_args"}


@dataclass
class Endpoint:
    """One address, and where it takes requests now.

    Attributes:
        managed: It starts vLLM for us, and ends it when it is told to.
        gives_ids: Whether it may be asked for the tokens of completions.
        rests_until: It failed, and is left alone until then (of `awake`).
        failures: How often in a row its engine did not start.
    """

    address: str
    url: str = ""
    model: str = ""
    managed: bool = False
    gives_ids: bool = True
    rests_until: float = 0.0
    failures: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """Of every request to it."""
        token = token_for(self.address)
        return {"Authorization": f"Bearer {token}"} if token else {}

    async def ready(
        self,
        client: httpx.AsyncClient,
        policy: ArtifactRef,
        options: EngineOptions,
        see: Callable[[str], Awaitable[bool]],
    ) -> str:
        """See that it has the policy, and give the address of its requests.

        Args:
            client: Asks it.
            policy: The policy.
            options: For one that starts vLLM.
            see: Looks at one that others started, by the address of its requests, and says whether
                it gives the tokens of completions.

        Raises:
            UserError: it has another one, names another machine, or `see` says so.
            NotStarted: it has it, and its engine did not start.
            httpx.HTTPError: it does not answer.
        """
        body = {"policy": policy.to_json(), **options.to_json()}
        answer = await client.put(f"{self.address}/policy", json=body, timeout=LOAD_SECONDS)
        if answer.status_code == 200:
            self.url = requests_at(self.address, answer.json())
            self.managed, self.model, self.failures = True, policy.digest, 0
            self.gives_ids = True
            return self.url
        if answer.status_code == 422:  # ours, and it says what is wrong
            raise UserError(f"{FIELD}: {self.address}: {answer.json()['error']}")
        if answer.status_code in (401, 403):
            raise refusal(self.address, TOKEN)
        if answer.status_code == 500:
            self.failures += 1
            raise NotStarted(message(answer))
        if answer.is_server_error:
            answer.raise_for_status()
        base = self.address.removesuffix("/v1") + "/v1"
        listed = await client.get(f"{base}/models", timeout=REST_SECONDS)
        names = [one["id"] for one in listed.json()["data"]] if listed.is_success else []
        if policy.digest not in names:
            raise UserError(
                f"{FIELD}: {self.address} serves {', '.join(names) or 'nothing'}, and this step "
                f"samples from {policy.location}; use `restem engine serve`, or vllm serve "
                f"--served-model-name {policy.digest}"
            )
        if options.vllm_args:
            raise UserError(
                f"sampling.vllm_args: {self.address} is a plain server, which cannot be told "
                f"{', '.join(options.vllm_args)}; expected none, or `restem engine serve`"
            )
        self.gives_ids = await see(base)
        self.managed, self.model, self.url = False, policy.digest, base
        return base


def message(answer: httpx.Response) -> str:
    """What a server says is wrong."""
    try:
        said = answer.json()["error"]
        return str(said["message"] if isinstance(said, dict) else said)
    except (ValueError, LookupError, TypeError):
        return answer.text[:200]
