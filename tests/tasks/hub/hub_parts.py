"""A Hub on this machine, and this process as one that reads it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tasks.dag.runtime import Runtime
from tasks.settings import Resources
from tasks.store.store import Store
from tests.flows.api.hub_server import Hub, serving
from tests.tasks.decoding.decoding_parts import save

MODEL, DATA = "models/me/tiny", "datasets/me/sums"


def model_files(folder: Path, word: str = "") -> dict[str, bytes]:
    """A tiny model, as a repository has it; `word` makes it another one."""
    save(folder)
    files = {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}
    return files | {"README.md": b"A card.", "notes.txt": word.encode()}


def data_files(*sums: str) -> dict[str, bytes]:
    """Problems of a training and a test split."""
    train = [f'{{"question": "{one}?", "answer": "{one} is #### 7"}}\n' for one in sums]
    test = '{"question": "3 and 4, now?", "answer": "It is #### 7"}\n'
    return {"train.jsonl": "".join(train).encode(), "test.jsonl": test.encode()}


@contextmanager
def reading(cache: Path, patch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A Hub that this process reads, with an empty cache; it is gone after the block."""
    with serving() as hub:
        point_to(hub.address, cache, patch)
        yield hub


def point_to(address: str, cache: Path, patch: pytest.MonkeyPatch) -> None:
    """Have the libraries of this process read the Hub there; they look once, when imported."""
    import datasets
    import huggingface_hub
    from huggingface_hub import constants, hf_api

    patch.setattr(constants, "ENDPOINT", address)
    patch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        address + "/{repo_id}/resolve/{revision}/{filename}",
    )
    patch.setattr(constants, "HF_HUB_CACHE", str(cache / "hub"))
    patch.setattr(hf_api.api, "endpoint", address)
    patch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    patch.setattr(datasets.config, "HF_ENDPOINT", address)
    patch.setattr(datasets.config, "HF_DATASETS_CACHE", cache / "datasets")
    huggingface_hub.HfFileSystem.clear_instance_cache()


class Home:
    """A store of its own, and a runtime in which nothing is sampled or graded."""

    def __init__(self, folder: Path) -> None:
        self.store = Store(str(folder / "store"), cache=folder / "copies")
        self.runtime = Runtime(
            store=self.store,
            logs=folder,
            resources=Resources(),
            engine=lambda *_: pytest.fail("no engine"),
            grader=lambda *_: pytest.fail("no grader"),
            progress=lambda *_: None,
        )
