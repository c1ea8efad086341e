"""What all our trainers have in common, whatever their loss: order, arguments, silence.

`QuietTrainer` stands before one of TRL's trainers in a class's bases; the callback (callbacks.py)
reads `take_loss_sum` and `plain_model`.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Iterator
from typing import cast

import datasets
import numpy as np
import torch
from torch.distributed.tensor import DTensor
from torch.utils.data import Sampler
from transformers import PreTrainedModel, Trainer
from transformers.training_args import OptimizerNames

from tasks.errors import UserError
from tasks.finetune.number_format import Rounding
from tasks.rows import Json
from tasks.settings import FinetuneSettings

SCHEDULES = {"cosine": "cosine", "linear": "linear", "constant": "constant_with_warmup"}


class Order(Sampler[int]):
    """Another permutation each epoch that depends on the seed and the epoch alone.

    So a resumed fine-tune needs no random state to find where it was.
    """

    def __init__(self, size: int, seed: int, empty: int = 0) -> None:
        """Orders of `size` sequences, each followed by the `empty` ones that stand behind them."""
        self._size = size
        self._empty = range(size, size + empty)
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called by the trainer before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return self._size + len(self._empty)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng([self._seed, self._epoch])
        return iter([*random.permutation(self._size).tolist(), *self._empty])


class QuietTrainer(Trainer):
    """Sums its losses, takes rows in our order, logs nothing and writes no model card."""

    sequences: int  # how many of the training set hold rows; the others stand behind them
    _losses: tuple[torch.Tensor, ...] = ()
    rounding: Rounding  # of the policy that will be exported

    @property
    def plain_model(self) -> PreTrainedModel:
        """The transformers model, with adapter layers inside where there are any."""
        return without_adapters(self.trained_model)

    @property
    def trained_model(self) -> PreTrainedModel:
        """The model as it is trained, with its adapters."""
        return cast(PreTrainedModel, self.model)

    def training_step(  # noqa: D102
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        loss = super().training_step(model, inputs, num_items_in_batch)
        self._losses = (*self._losses, loss.detach())
        return loss

    def take_loss_sum(self) -> float:
        """The sum of the losses of the micro-batches since it was last taken.

        Once a step: a GPU is waited for, which each micro-batch need not.
        """
        losses, self._losses = self._losses, ()
        return float(sum(loss.item() for loss in losses))

    def take_sampled(self) -> dict[str, float]:
        """What a trainer that draws samples knows of those since it was last asked.

        By the names of HistoryEntry; nothing of others.
        """
        return {}

    def create_accelerator_and_postprocess(self) -> None:  # noqa: D102
        super().create_accelerator_and_postprocess()
        prepare = self.accelerator.prepare

        def prepared(*given: object, **kwargs: object) -> object:
            """Keep the optimiser's parameters, which are those of the model already.

            accelerate finds the parameters of a split model again by their addresses, and a part
            of nothing (of a weight with fewer rows than there are processes) has none.
            """
            optimizers = [one for one in given if isinstance(one, torch.optim.Optimizer)]
            groups = [(group, group["params"]) for one in optimizers for group in one.param_groups]
            lists = [(group, list(parameters)) for group, parameters in groups]
            result = prepare(*given, **kwargs)
            for group, parameters in lists:
                if any(isinstance(one, DTensor) for one in parameters):
                    group["params"] = parameters
            return result

        self.accelerator.prepare = prepared

    def floating_point_ops(self, inputs: object) -> int:  # noqa: D102
        return 0  # nobody reads it, and it walks over all parameters at each step

    def create_model_card(self, *args: object, **kwargs: object) -> None:  # noqa: D102
        return None

    def _get_train_sampler(self, train_dataset: datasets.Dataset | None = None) -> Order:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        count = len(cast(datasets.Dataset, dataset))
        return Order(self.sequences, self.args.seed, count - self.sequences)


def without_adapters(model: PreTrainedModel) -> PreTrainedModel:
    """A model without what peft puts around it."""
    return getattr(model, "get_base_model", lambda: model)()


def arguments(settings: FinetuneSettings, seed: int, device: str, total: int) -> Json:
    """What every trainer is told, apart from sizes and places.

    Args:
        settings: Learning rate, schedule, decay and clipping are used.
        seed: Of adapters' first weights, and of the order.
        device: cpu or cuda.
        total: Optimiser steps if nothing stops training.
    """
    return {
        "max_steps": total,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": SCHEDULES[settings.schedule],
        # The first step of a warm-up has no learning rate, so a single step must have none.
        "warmup_steps": min(math.ceil(settings.warmup * total), total - 1),
        "weight_decay": settings.weight_decay,
        "max_grad_norm": settings.max_grad_norm,
        "seed": seed,
        "use_cpu": device == "cpu",
        "bf16": device == "cuda",
        # The loss is the objective's alone, without one that balances experts; TRL's counts a mask
        # of padded batches, which flat ones do not have.
        "router_aux_loss_coef": 0.0,
        # Rows come tokenised and within the limit.
        "max_length": None,
        "remove_unused_columns": False,
        "dataloader_num_workers": 0,
        "dataloader_pin_memory": device == "cuda",
        # Checks and checkpoints are the callback's business, and so is the history.
        "eval_strategy": "no",
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        **_handed_through(settings),
    }


def _handed_through(settings: FinetuneSettings) -> Json:
    """The user's own arguments of the trainer.

    Raises:
        UserError: a package that they need is missing.
    """
    found = settings.arguments
    if found.get("use_liger_kernel") and importlib.util.find_spec("liger_kernel") is None:
        raise UserError(
            "finetune.trainer_args: use_liger_kernel needs a package that is not installed; pip "
            "install liger-kernel, or leave it out"
        )
    try:
        if "optim" in found:
            OptimizerNames(found["optim"])
    except ValueError:
        raise UserError(
            f"finetune.trainer_args: optim={found['optim']}: expected one of: "
            f"{', '.join(sorted(OptimizerNames))}"
        ) from None
    return dict(found)
