"""Pushing to the Hub, against a server of our own that speaks the calls (LFS, not Xet)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.api.export.export import export
from tests.flows.api.hub_server import TOKEN, Hub, serving
from tests.flows.conftest import Restem


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serving() as found:
        yield found


def push(restem: Restem, hub: Hub, *arguments: str, code: int = 0, token: str = TOKEN) -> str:
    env = {
        "HF_ENDPOINT": hub.address,
        "HF_TOKEN": token,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HOME": str(restem.home / "no-login"),
    }
    return restem("export", *arguments, code=code, **env)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("README.md", "restem.json")
    }


def test_the_bytes_of_a_policy_arrive_and_the_token_is_nowhere(
    there: Restem, hub: Hub, tmp_path: Path
) -> None:
    said = push(there, hub, "latest:2", "--to", "hub:me/policy", "--private")
    assert f"exported: {hub.address}/me/policy" in said
    arrived = hub.repositories["models/me/policy"]
    local = files(Path(export("latest:2", str(tmp_path / "policy"))))
    assert {name: arrived[name] for name in local} == local
    assert hub.private["models/me/policy"]
    assert b"me/policy" in arrived["README.md"]
    # In one commit, and nothing of it stays here.
    assert len(hub.commits) == 1
    assert not list((there.home / "work").glob("export-*"))
    assert TOKEN not in said
    kept = [path for path in there.home.rglob("*") if path.is_file()]
    assert not any(TOKEN.encode() in path.read_bytes() for path in kept)


def test_data_goes_to_a_repository_of_data_and_is_replaced(there: Restem, hub: Hub) -> None:
    push(there, hub, "latest:1", "--to", "hub:me/rows", "--data", "rows")
    arrived = hub.repositories["datasets/me/rows"]
    arrived["data/rows-00001.parquet"] = b"of an earlier export with more rows"
    push(there, hub, "latest:1", "--to", "hub:me/rows", "--data", "rows")
    assert set(arrived) == {
        *(".gitattributes", "README.md", "restem.json", "data/rows-00000.parquet"),
    }


@pytest.mark.parametrize(
    ("name", "there_before", "token", "code", "said"),
    [
        ("me/mine", {"notes.txt": b"mine"}, TOKEN, 2, "is no export"),
        ("me/wrong", {}, "hf_other", 2, "the Hub refused (status 401)"),
        ("me/none", {}, "", 2, "the Hub refused (status 401)"),
    ],
)
def test_what_cannot_be_pushed_is_one_line(
    there: Restem,
    hub: Hub,
    name: str,
    there_before: dict[str, bytes],
    token: str,
    code: int,
    said: str,
) -> None:
    if there_before:
        hub.repositories[f"models/{name}"] = dict(there_before)
    printed = push(there, hub, "latest", "--to", f"hub:{name}", code=code, token=token)
    assert said in printed
    assert len(printed.strip().splitlines()) == 1
    assert hub.repositories.get(f"models/{name}", {}) == there_before


def test_a_hub_that_is_not_there_is_one_line(there: Restem) -> None:
    with socket.socket() as nobody:  # the port is taken, and nobody listens
        nobody.bind(("127.0.0.1", 0))
        hub = Hub(f"http://127.0.0.1:{nobody.getsockname()[1]}")
        printed = push(there, hub, "latest", "--to", "hub:me/policy", code=1)
    assert "the Hub was not reached" in printed
    assert len(printed.strip().splitlines()) == 1
