"""A plain server samples as it is asked to, or is refused in a line before it samples anything."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.decoding.request import Completions, Sampling
from tasks.errors import UserError
from tasks.generate.endpoint import EngineOptions
from tasks.generate.endpoints import EndpointEngine
from tasks.generate.neutral import NEUTRAL
from tasks.generate.transformers_engine import TransformersEngine
from tasks.store.store import ArtifactRef
from tests.tasks.chat_parts import WILD
from tests.tasks.decoding.decoding_parts import save
from tests.tasks.generate.plain_server_parts import PlainServer, serving

pytestmark = pytest.mark.engine

POLICY = ArtifactRef("models", "a" * 32, "the-digest", 0)
SAMPLING = Sampling(temperature=0.9, max_tokens=12, stop=("7",))
PROMPTS = ["3 and 4 is ", "2 and 2 is ", "9 and 1 is "]
REQUESTS = [(i % 3, 1000 + i) for i in range(24)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model whose own defaults say otherwise than we do."""
    folder = tmp_path_factory.mktemp("wild")
    defaults = save(folder) / "generation_config.json"
    defaults.write_text(json.dumps({**json.loads(defaults.read_text()), **WILD}))
    return folder


def sampled(
    server: PlainServer, sampling: Sampling = SAMPLING, without: tuple[str, ...] = ()
) -> Completions:
    with serving(server):
        engine = EndpointEngine(
            [server.address], POLICY, EngineOptions("float32", 4), stall=600.0, without=without
        )
        return engine.sample(PROMPTS, REQUESTS, sampling)


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_a_wild_generation_config_changes_no_sample(model: Path, temperature: float) -> None:
    sampling = Sampling(temperature=temperature, max_tokens=12, stop=("7",))
    found = sampled(PlainServer(model, POLICY.digest), sampling)
    local = TransformersEngine(model, device="cpu", dtype="float32", threads=1, batch_size=8)
    expected = local.sample(PROMPTS, REQUESTS, sampling)
    # The last bit of a sum depends on the batch, so a sample may differ now and then.
    plain = [replace(one, ids=None) for one in expected]  # the server gives none
    assert sum(a == b for a, b in zip(found, plain, strict=True)) >= len(REQUESTS) - 1


def test_every_request_says_every_field(model: Path) -> None:
    server = PlainServer(model, POLICY.digest)
    sampled(server)
    for body in server.bodies[-len(REQUESTS) :]:
        assert {name: body.get(name) for name in NEUTRAL} == NEUTRAL
        assert {"temperature", "max_tokens", "seed", "stop"} <= body.keys()


@pytest.mark.parametrize("name", [*NEUTRAL, "temperature"])
@pytest.mark.parametrize("way", ["passed_over", "refused"])
def test_a_field_that_is_not_taken_is_named_before_a_sample_is_drawn(
    model: Path, way: str, name: str
) -> None:
    server = PlainServer(model, POLICY.digest, **{way: frozenset({name})})
    with pytest.raises(UserError) as caught:
        sampled(server)
    does = {"passed_over": "passes over", "refused": "refuses"}[way]
    said = str(caught.value)
    assert said.startswith(f"resources.endpoints: {server.address}/v1 {does} {name}, ")
    assert "--generation-config vllm" in said and "\n" not in said
    assert ("resources.endpoints_without" in said) == (name != "temperature")
    assert all(body["max_tokens"] == 1 for body in server.bodies)


def test_a_field_that_the_user_says_has_no_default_is_not_sent(model: Path) -> None:
    server = PlainServer(model, POLICY.digest, refused=frozenset({"min_p"}))
    assert len(sampled(server, without=("min_p",))) == len(REQUESTS)
    assert not any("min_p" in body for body in server.bodies)


def test_a_field_that_the_run_needs_cannot_be_left_out(model: Path) -> None:
    with pytest.raises(UserError, match=r"^resources\.endpoints_without: top_k: the run asks"):
        sampled(PlainServer(model, ""), Sampling(top_k=5), without=("top_k", "min_p"))


def test_a_cap_of_the_server_is_said_before_a_sample_is_drawn(model: Path) -> None:
    server = PlainServer(model, POLICY.digest, cap=4)
    with pytest.raises(UserError, match=r"sampling\.max_tokens = 12.*max_new_tokens"):
        sampled(server)
    assert all(body["max_tokens"] == 1 or body.get("stream") for body in server.bodies)


def test_a_cap_that_the_server_does_not_say_is_seen_at_the_first_short_completion(
    model: Path,
) -> None:
    server = PlainServer(model, POLICY.digest, cap=4, says_cap=False)
    with pytest.raises(UserError, match=r"ends completions after 4, not at sampling"):
        sampled(server)
