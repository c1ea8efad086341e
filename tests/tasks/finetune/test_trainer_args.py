"""The trainer has the user's own arguments, or says in a line why not."""

from __future__ import annotations

import importlib.util

import pytest

from tasks.errors import UserError
from tests.tasks.finetune.finetune_parts import make_job, make_rows, make_start, write
from tests.tasks.finetune.test_finetune import trainer_of


def trainer_with(folder, *arguments: str):
    rows = write(folder / "rows.parquet", make_rows(6))
    job = make_job(make_start(folder / "start"), rows, folder, trainer_args=list(arguments))
    return trainer_of(job, folder)


def test_the_trainer_has_them(tmp_path):
    trainer = trainer_with(tmp_path, "optim=sgd", "adam_beta2=0.95")
    assert (trainer.args.optim, trainer.args.adam_beta2) == ("sgd", 0.95)
    assert type(trainer.create_optimizer()).__name__ == "SGD"


@pytest.mark.skipif(importlib.util.find_spec("liger_kernel") is not None, reason="it is there")
def test_a_missing_package_is_said(tmp_path):
    with pytest.raises(
        UserError, match=r"finetune\.trainer_args: use_liger_kernel needs a package"
    ):
        trainer_with(tmp_path, "use_liger_kernel=true")


def test_an_optimiser_that_there_is_not_is_said(tmp_path):
    with pytest.raises(UserError, match=r"finetune\.trainer_args: optim=magic: expected one of"):
        trainer_with(tmp_path, "optim=magic")
