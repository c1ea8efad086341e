"""Licences in cards: known ones, those that a source states itself, and `unknown`."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.api.export.licences import base_hub, base_licence, data_origin
from flows.config.rest_em import load_config


@pytest.mark.parametrize(
    ("base", "licence", "hub"),
    [
        ("embedded:tiny-math", "apache-2.0", ""),
        ("package:pytest", "mit", ""),
        ("package:of_nobody", "unknown", ""),
        ("some/model", "unknown", "some/model"),
        ("model.gguf", "unknown", ""),
    ],
)
def test_the_base_models_licence_is_what_its_source_says(base: str, licence: str, hub: str) -> None:
    config = load_config("math-demo", [f"model.base={base}"])
    assert (base_licence(config), base_hub(config)) == (licence, hub)


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: gemma\n---\n# Model", "gemma"),
        ("# Model", "unknown"),
        ("---\nlicense: [\n---\n", "unknown"),
    ],
)
def test_a_folder_says_its_licence_in_its_card(tmp_path: Path, card: str, licence: str) -> None:
    (tmp_path / "README.md").write_text(card)
    config = load_config("math-demo", [f"model.base={tmp_path}"])
    assert (base_licence(config), base_hub(config)) == (licence, "")


def test_a_file_of_ones_own_is_named_without_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "problems.jsonl"
    path.touch()
    changes = ["data.train=gsm8k", f"data.source={path}"]
    found = data_origin(load_config("math-demo", changes).data, "train")
    assert found.name == "gsm8k (problems.jsonl)"
    assert found.licence == "mit"


def test_another_test_set_has_its_own_origin() -> None:
    changes = ["data.train=gsm8k", "data.test=svamp"]
    data = load_config("math-demo", changes).data
    hubs = [data_origin(data, side).hub for side in ("train", "test")]
    assert hubs == ["openai/gsm8k", "ChilleD/SVAMP"]


def test_places_of_this_machine_are_not_in_a_public_configuration(tmp_path: Path) -> None:
    from flows.api.export.card import public_config

    path = tmp_path / "problems.jsonl"
    changes = ["data.train=gsm8k", f"data.source={path}", f"model.base={tmp_path}/model"]
    shown = public_config(load_config("math-demo", [*changes, "resources.store=s3://mine/x"]))
    assert str(tmp_path) not in str(shown)
    assert "s3://" not in str(shown)
    assert (shown["data"]["source"], shown["model"]["base"]) == ("problems.jsonl", "model")
