"""What a run will need, each in a line: there, or missing and how to get it."""

from __future__ import annotations

import os
import shutil
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from flows.cli.sandbox import make_image
from flows.config.rest_em import load_config
from flows.estimate.preflight import Ready, preflight
from flows.runs.journal import Journal
from sandbox.image import find_image
from sandbox.images import IMAGES
from sandbox.pool import connect
from tasks.paths import MODELS

SPLITS = {"train": 1500, "validation": 0, "test": 8}


def found(*changes: str, config: str = "math-demo", refused: str = "") -> dict[str, Ready]:
    splits = None if refused else SPLITS
    return {one.name: one for one in preflight(load_config(config, list(changes)), splits, refused)}


def test_all_is_there(home: Path) -> None:
    ready = found()
    assert list(ready) == ["engine", "data", "model", "disk"]
    assert all(one.ok for one in ready.values()), ready
    assert ready["data"].line == "data     ok       1,500 train, 0 validation, 8 test"
    assert "1.5 MB in " in ready["model"].text


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        (["sampling.engine=vllm"], "engine", "restem engine install vllm"),
        (["model.base=package:no_such_package"], "model", "no_such_package"),
        (["model.base=/no/such/folder"], "model", "does not exist"),
    ],
)
def test_what_is_missing_is_said(
    home: Path, monkeypatch: pytest.MonkeyPatch, changes: list[str], name: str, said: str
) -> None:
    monkeypatch.delenv("RESTEM_VLLM_PYTHON", raising=False)
    ready = found(*changes)
    assert not ready[name].ok and said in ready[name].text
    assert ready[name].line.startswith(f"{name:<8} missing  ")
    assert all(one.ok for one in ready.values() if one.name not in (name, "disk"))


@pytest.mark.parametrize(
    ("refused", "name"),
    [
        ("data.source: no such file", "data"),
        ("gsm8k: no train split", "data"),
        ("model.base: too many heads", "model"),
        ("sampling.max_tokens: too many", "model"),
    ],
)
def test_what_the_plan_refused(home: Path, refused: str, name: str) -> None:
    ready = found(refused=refused)
    assert [one.name for one in ready.values() if not one.ok] == [name]
    assert ready[name].text == refused


def test_vllm_of_another_python_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESTEM_VLLM_PYTHON", "/no/such/python")
    ready = found("sampling.engine=vllm")
    assert not ready["engine"].ok and "/no/such/python" in ready["engine"].text


def test_servers_are_not_asked(home: Path) -> None:
    ready = found("sampling.engine=vllm", 'resources.endpoints=["http://127.0.0.1:9/v1"]')
    assert ready["engine"].ok and "http://127.0.0.1:9/v1 (not asked)" in ready["engine"].text


def test_a_disk_that_is_too_small(home: Path, tmp_path: Path) -> None:
    shutil.copytree(MODELS / "tiny-math", tmp_path / "large")
    os.truncate(tmp_path / "large" / "model.safetensors", 3 * 10**12)  # of which nothing is written
    ready = found(f"model.base={tmp_path / 'large'}")
    assert not ready["disk"].ok and "needed" in ready["disk"].text


def test_code_without_an_engine(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    ready = found(config="code-demo")
    assert not ready["sandbox"].ok and "no Docker engine answers" in ready["sandbox"].text


def test_code_with_an_engine_and_an_image(home: Path, image: str) -> None:
    ready = found(config="code-demo")
    assert ready["sandbox"].ok and "restem-sandbox" in ready["sandbox"].text


@pytest.fixture
def another_tag(image: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The standard image under a tag that the engine has not."""
    tag = f"restem-sandbox-test:{os.getpid()}"
    monkeypatch.setitem(IMAGES, "standard", replace(IMAGES["standard"], tag=tag))
    return tag


def test_an_image_that_is_not_there_will_be_made(home: Path, another_tag: str) -> None:
    ready = found(config="code-demo")
    assert ready["sandbox"].ok and f"the run makes {another_tag} first" in ready["sandbox"].text


def test_a_finished_run_makes_no_image(home: Path, another_tag: str) -> None:
    Journal("some-run", {}, "rest-em").end("completed")
    make_image("some-run", "standard")
    with closing(connect()) as client:
        assert find_image(client, another_tag) is None
