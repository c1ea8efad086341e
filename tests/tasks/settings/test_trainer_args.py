"""Arguments of TRL's trainer are handed through; what fields of ours decide is refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from tasks.settings import FinetuneSettings
from tasks.settings.trainer_args import ARGUMENTS, parse_trainer_args


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("learning_rate=1", "learning_rate is decided by finetune.learning_rate"),
        ("seed=2", "seed is decided by seed"),
        ("output_dir=/tmp", "expected name=value with one of"),
        ("deepspeed=x.json", "expected name=value with one of"),
        ("optim", "expected name=value with one of"),
        ("adam_beta2=high", "adam_beta2=high: expected a number"),
        ("torch_compile=1", "torch_compile=1: expected true or false"),
        ("optim=../x", "expected a word"),
        ("loss_type=ipo", "loss_type is of finetune.improve = dpo alone"),
    ],
)
def test_others_are_refused_in_a_line(text, said):
    with pytest.raises(ValidationError, match=r"finetune\.trainer_args: ") as error:
        FinetuneSettings(trainer_args=[text])
    assert said in str(error.value)


def test_values_have_the_type_of_the_argument():
    found = parse_trainer_args(["adam_beta2=0.95", "tf32=true", "optim=sgd"])
    assert found == {"adam_beta2": 0.95, "tf32": True, "optim": "sgd"}


def test_they_stand_in_the_key_only_where_they_are_set():
    plain = FinetuneSettings()
    assert "trainer_args" not in plain.recipe()
    assert FinetuneSettings(trainer_args=["tf32=true"]).recipe()["trainer_args"] == ["tf32=true"]


def test_each_is_an_argument_of_the_trainers():
    from dataclasses import fields

    from trl import DPOConfig, SFTConfig

    known = {one.name for config in (SFTConfig, DPOConfig) for one in fields(config)}
    assert set(ARGUMENTS) <= known
