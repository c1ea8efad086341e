"""A policy between two others: its ends bit by bit, its middle by hand, and its files."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from tasks.errors import StepError
from tasks.finetune.blend import blend_folders
from tasks.paths import MODELS

BASE = MODELS / "tiny-math"


@pytest.fixture
def tuned(tmp_path: Path) -> Path:
    """The embedded base with other weights, negative zeros among them."""
    folder = tmp_path / "tuned"
    shutil.copytree(BASE, folder)
    weights = load_file(folder / "model.safetensors")
    draw = torch.Generator().manual_seed(0)
    changed = {
        name: one + 0.1 * torch.randn(one.shape, generator=draw).to(one.dtype)
        for name, one in weights.items()
    }
    next(iter(changed.values())).flatten()[:3] = -0.0
    save_file(changed, folder / "model.safetensors", {"format": "pt"})
    return folder


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_share_of_0_is_the_other_and_1_the_tuned_policy_bit_by_bit(
    tuned: Path, tmp_path: Path
) -> None:
    for share, same in ((0.0, BASE), (1.0, tuned), (0.0, tuned)):
        other, after = (BASE, tuned) if same != tuned or share else (tuned, BASE)
        out = tmp_path / f"{share} {same.name}"
        blend_folders(other, after, share, out)
        wanted, found = weights_of(same), weights_of(out)
        assert wanted.keys() == found.keys()
        for name, one in wanted.items():
            assert torch.equal(one.view(torch.int32), found[name].view(torch.int32)), name


def test_between_them_each_weight_is_the_mean_and_the_folder_loads(
    tuned: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    blend_folders(BASE, tuned, 0.25, out)
    before, after, found = map(weights_of, (BASE, tuned, out))
    for name, one in found.items():
        torch.testing.assert_close(one, 0.75 * before[name] + 0.25 * after[name])
    AutoModelForCausalLM.from_pretrained(out)
    assert (out / "tokenizer.json").read_bytes() == (tuned / "tokenizer.json").read_bytes()
    again = tmp_path / "again"
    blend_folders(BASE, tuned, 0.25, again)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {
        p.name: p.read_bytes() for p in again.iterdir()
    }


def test_a_16_bit_policy_stays_one_and_is_rounded_once(tmp_path: Path) -> None:
    folders = []
    for name, add in (("a", 0.0), ("b", 0.5)):
        model = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.bfloat16)
        with torch.no_grad():
            for weight in model.parameters():
                weight += add
        model.save_pretrained(tmp_path / name)
        folders.append(tmp_path / name)
    out = tmp_path / "out"
    blend_folders(*folders, 0.3, out)
    before, after, found = map(weights_of, (*folders, out))
    for name, one in found.items():
        mean = before[name].float().lerp(after[name].float(), 0.3)
        assert one.dtype == torch.bfloat16 and torch.equal(one, mean.bfloat16())
    assert json.loads((out / "config.json").read_text())["dtype"] == "bfloat16"


def test_policies_of_two_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StepError, match="one shape"):
        blend_folders(MODELS / "tiny-code", BASE, 0.5, tmp_path / "out")
