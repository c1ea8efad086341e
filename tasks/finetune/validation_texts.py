"""Greedy solutions of validation problems by the model in training, where it lies.

No second model is made. One process decodes with the model as it is. Of several each decodes its
share of the problems: of whole models (ddp) each with its own; where each has a part of the model
(fsdp) all have to make the same forward passes together, for a pass puts the weights of a layer
together from all. So before each pass a process says that it makes one; those that are done make a
pass of one token along, until nobody has any left.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from tasks.decoding.decode import decode
from tasks.decoding.request import Sampling
from tasks.decoding.tokens import Prompt
from tasks.errors import UserError
from tasks.finetune.number_format import Rounding
from tasks.finetune.process_group import Ranks


@dataclass(frozen=True)
class Solver:
    """Solves the validation problems.

    Attributes:
        rows: Most rows decoded at once, of each process.
        rounding: Of the exported policy, whose weights are used.
        split: Whether each process has a part of the model.
        alive: Told while problems are solved.
    """

    tokenizer: PreTrainedTokenizerBase
    prompts: Sequence[Prompt]
    sampling: Sampling
    rows: int
    rounding: Rounding
    split: bool
    alive: Callable[[], None] | None = None

    def texts(self, model: PreTrainedModel) -> list[str]:
        """A solution of each problem; all processes must call this, and all get all.

        Args:
            model: Plain, on its device.

        Raises:
            UserError: the problems cannot be solved by this model.
        """
        if model.device.type == "cuda":
            torch.cuda.empty_cache()  # blocks of training have other sizes than those of decoding
        ranks = Ranks()
        model.eval()
        try:
            with self.rounding.as_exported(model):
                if ranks.count == 1:
                    return self._decoded(model, range(len(self.prompts)))
                return self._together(model, ranks)
        finally:
            model.train()

    def _together(self, model: PreTrainedModel, ranks: Ranks) -> list[str]:
        mine = range(ranks.index, len(self.prompts), ranks.count)
        texts: list[str] = []
        mistake = ""
        with _passes(model, self.split, self.alive):
            try:
                texts = self._decoded(model, mine) if mine else []
            except UserError as error:  # the others must not wait for passes that do not come
                mistake = str(error)
        shares = ranks.gather((texts, mistake))
        for _, found in shares:
            if found:
                raise UserError(found)
        whole = [""] * len(self.prompts)
        for index, (share, _) in enumerate(shares):
            whole[index :: ranks.count] = share
        return whole

    def _decoded(self, model: PreTrainedModel, which: Sequence[int]) -> list[str]:
        completions = decode(
            model,
            self.tokenizer,
            self.prompts,
            [(i, 0) for i in which],
            replace(self.sampling, temperature=0.0),
            batch_size=self.rows,
            progress=(lambda *_, sign=self.alive: sign()) if self.alive else None,
        )
        return [completion.text for completion in completions]


@contextmanager
def _passes(
    model: PreTrainedModel, split: bool, alive: Callable[[], None] | None
) -> Generator[None]:
    """Where a model is split, let all processes make as many forward passes in this block."""
    if not split:
        yield
        return
    from tasks.finetune.split_model import take_apart

    def any_left(left: bool) -> bool:
        number = torch.tensor(float(left), device=model.device)
        torch.distributed.all_reduce(number)
        return bool(number)

    hook = model.register_forward_pre_hook(lambda *_: any_left(True) and None, prepend=True)
    try:
        yield
    finally:
        hook.remove()
    token = torch.zeros(1, 1, dtype=torch.long, device=model.device)
    with torch.no_grad():
        while any_left(False):
            model(input_ids=token, use_cache=False)
            if alive:
                alive()
    take_apart(model)
