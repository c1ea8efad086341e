"""Policy gradient on samples of the policy's own: TRL's RLOOTrainer in our surroundings.

REINFORCE with a leave-one-out baseline (Ahmadian et al., arXiv 2402.14740, section 2.2): of the k
samples y_1 ... y_k of a problem x, sample i has the advantage

    A_i = R_i - mean of R_j over j != i,   R = r(x, y) - beta * log[p(y|x) / p_0(y|x)],

and the loss is the mean of -A_i log p(y_i|x), where p_0 is the policy that training starts from and
r is in [0, 1] (sample_rewards.py). It is the stable trainer that is nearest to the policy gradient
with a learnt baseline of RLHF and RLAIF (Lee et al., arXiv 2309.00267, section 2.2.3), whose
objective is (1 - beta) r - beta KL: beta/(1 - beta) here.

Samples are drawn by our own decoding (tasks/decoding), each by a seed of its own that depends on
the run's seed, the pass over the problems, the problem and its index, without top-k and top-p, so
that p is what they were drawn from. They are trained on with the very tokens that were drawn, the
end among them. An optimiser step draws all of its samples first, and takes each once.

Order, checks of the validation reward, checkpoints and export are those of supervised fine-tuning.
Does not cover several processes, or engines other than this one for samples.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import datasets
import torch
from torch.utils.data import Sampler
from transformers import AutoTokenizer, PreTrainedModel, PrinterCallback
from trl import RLOOConfig, RLOOTrainer  # type: ignore[attr-defined]

from tasks.decoding.decode import decode
from tasks.decoding.request import Completion, Sampling
from tasks.errors import UserError
from tasks.finetune.common import Order, QuietTrainer, arguments
from tasks.finetune.families import mend
from tasks.finetune.load_model import adapters, load_for
from tasks.finetune.process_group import Ranks
from tasks.finetune.sample_rewards import Rewards
from tasks.processes.wire import Message
from tasks.rows import Row, sample_seed
from tasks.settings import FinetuneSettings


class Passes(Sampler[int]):
    """Passes over the problems, one after the other, as many problems of them as each step takes.

    A step's problems come `generations` times each, and all of them `times` times, because TRL asks
    for them again at each forward pass of a step. Any step begins where the one before it ended, so
    no problem is left out at the end of a pass.
    """

    def __init__(
        self, size: int, seed: int, *, problems: int, generations: int, times: int, steps: int
    ) -> None:
        """Passes over `size` problems, `problems` of them at each of `steps` steps."""
        self._order = Order(size, seed)
        self._size, self._problems, self._steps = size, problems, steps
        self._generations, self._times = generations, times

    def pass_of(self, step: int, place: int) -> int:
        """Which pass a problem belongs to, from 0: the one in this place of a step from 0."""
        return (step * self._problems + place) // self._size

    def __len__(self) -> int:
        return self._steps * self._problems * self._generations * self._times

    def __iter__(self) -> Iterator[int]:
        problems = self._endless()
        for _ in range(self._steps):
            taken = [next(problems) for _ in range(self._problems)]
            for _ in range(self._times):
                for problem in taken:
                    yield from [problem] * self._generations

    def _endless(self) -> Iterator[int]:
        number = 0
        while True:
            self._order.set_epoch(number)
            yield from self._order
            number += 1


class Reinforce(QuietTrainer, RLOOTrainer):
    """RLOOTrainer on tokenised prompts (prompt_rows.py)."""

    def __init__(
        self,
        *args: Any,
        train_dataset: datasets.Dataset,
        rewards: Rewards,
        sampling: Sampling,
        rows_at_once: int,
        alive: Callable[[], None] | None = None,
        **kwargs: Any,
    ) -> None:
        """Take RLOOTrainer's arguments.

        Args:
            args: RLOOTrainer's.
            train_dataset: Rows with `problem`, `prompt` and `prompt_ids`.
            rewards: Rewards samples.
            sampling: How they are drawn.
            rows_at_once: Most samples decoded at once.
            alive: Told while samples are drawn.
            kwargs: RLOOTrainer's.
        """
        self.sequences = len(train_dataset)
        self._rewards_of, self._sampling, self._rows = rewards, sampling, rows_at_once
        self._alive = alive
        self._asked: list[Row] = []
        self._drawn: list[Completion] = []
        self._sampled: dict[str, float] = {}
        super().__init__(*args, reward_funcs=self._reward, train_dataset=train_dataset, **kwargs)
        config: Any = self.args  # RLOOConfig, which Trainer's type does not say
        self._each: int = config.num_generations
        self._passes = Passes(
            self.sequences,
            config.seed,
            problems=config.generation_batch_size // config.num_generations,
            generations=config.num_generations,
            times=config.steps_per_generation,
            steps=config.max_steps,
        )
        if self.ref_model is not None:
            mend(self.accelerator.unwrap_model(self.ref_model))

    def take_sampled(self) -> dict[str, float]:  # noqa: D102 - see QuietTrainer
        sampled, self._sampled = self._sampled, {}
        return sampled

    def training_step(  # noqa: D102
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        loss = super().training_step(model, inputs, num_items_in_batch)
        found = self._metrics["train"]
        names = {"sampled_reward": "reward", "kl": "kl"}
        known = {name: found[theirs][-1] for name, theirs in names.items() if found.get(theirs)}
        self._sampled |= {name: value for name, value in known.items() if math.isfinite(value)}
        # TRL notes dozens of numbers until they are logged, which they are not.
        found.clear()
        return loss

    def _get_train_sampler(self, dataset: datasets.Dataset | None = None) -> Passes:  # pyright: ignore[reportIncompatibleMethodOverride]
        return self._passes

    def _generate_and_score_completions(self, inputs: list[Row]) -> dict[str, Any]:
        self._asked = inputs
        # TRL shuffles samples into forward passes by torch's generator, which a resumed training
        # would find in another state.
        torch.manual_seed(sample_seed(self.args.seed, "forward passes", self.state.global_step))
        return super()._generate_and_score_completions(inputs)

    def _generate(self, prompts: list[str]) -> tuple[list[list[int]], list[list[int]], list[str]]:
        """Tokens of prompts, tokens and texts of a sample of each."""
        step, each = self.state.global_step, self._each
        requests = []
        for place, row in enumerate(self._asked):
            number, index = divmod(place, each)
            named = f"rl\x1f{self._passes.pass_of(step, number)}\x1f{row['problem']}"
            requests.append((number, sample_seed(self.args.seed, named, index)))
        ids = [row["prompt_ids"] for row in self._asked]
        model = self.plain_model
        model.eval()
        try:
            with self.accelerator.autocast():
                self._drawn = decode(
                    model,
                    self._tokenizer,
                    ids[::each],
                    requests,
                    self._sampling,
                    batch_size=self._rows,
                    progress=(lambda *_: self._alive()) if self._alive else None,  # type: ignore[misc]
                )
        finally:
            model.train()
        # Of what the engine could not give there is nothing to learn: it has no reward.
        end = cast(int, self._tokenizer.eos_token_id)
        drawn: list[list[int]] = [list(one.ids or [end]) for one in self._drawn]
        return ids, drawn, [one.text for one in self._drawn]

    def _reward(self, **_: object) -> list[float | None]:
        return self._rewards_of(self._asked, self._drawn)

    def _get_per_token_logps_and_entropies(
        self, model: PreTrainedModel, *args: object, **kwargs: object
    ) -> object:
        return super()._get_per_token_logps_and_entropies(_counted(model), *args, **kwargs)


def _counted(model: PreTrainedModel) -> Callable[..., object]:
    """A model that is told the positions of left-padded rows, where it takes any.

    Rows count from their first token in sampling; TRL leaves the count to the model, and those with
    learnt positions count the padding.
    """
    plain = getattr(model, "get_base_model", lambda: model)()
    takes = "position_ids" in inspect.signature(type(plain).forward).parameters

    def forward(*, attention_mask: torch.Tensor, **kwargs: object) -> object:
        if takes:
            kwargs["position_ids"] = (attention_mask.cumsum(1) - 1).clamp(min=0)
        return model(attention_mask=attention_mask, **kwargs)

    return forward


def make_trainer(
    job: Message,
    settings: FinetuneSettings,
    *,
    device: str,
    micro: int,
    checkpointing: int,
    dataset: datasets.Dataset,
    total: int,
    output: Path,
    rewards: Rewards,
    alive: Callable[[], None] | None,
) -> Reinforce:
    """The trainer of a job of `trainer.train`.

    Args:
        device: cpu or cuda.
        micro: Samples of a forward pass.
        checkpointing: From so many parameters on, activations are computed again.
        dataset: Prompts as prompt_rows.py writes them.
        total: Optimiser steps if nothing stops training.
        output: Folder of the checkpoints.
        rewards: Rewards samples.
        alive: Told while samples are drawn.

    Raises:
        UserError: several processes were asked for.
    """
    if Ranks().count > 1:
        raise UserError(
            f"resources.train_processes: rl trains in one process; expected 1, not {Ranks().count}"
        )
    model = load_for(settings, job, device)
    solved = job["validation"]
    ends = tuple(solved.get("ends", ()))
    plain = arguments(settings, job["seed"], device, total)
    plain.pop("max_length")  # which RLOOConfig has not
    trainer = Reinforce(
        model=model,
        args=RLOOConfig(
            output_dir=str(output),
            per_device_train_batch_size=micro,
            gradient_accumulation_steps=settings.batch_size // micro,
            gradient_checkpointing=model.num_parameters() >= checkpointing,
            beta=settings.beta,
            num_generations=settings.generations,
            temperature=settings.temperature,
            max_completion_length=solved["max_tokens"],
            **plain,
        ),
        train_dataset=dataset,
        processing_class=AutoTokenizer.from_pretrained(job["model"], trust_remote_code=False),
        peft_config=adapters(settings, model) if settings.has_adapters else None,
        rewards=rewards,
        sampling=Sampling(
            temperature=settings.temperature,
            max_tokens=solved["max_tokens"],
            stop=tuple(solved["stop"]),
            ends=ends,
            special=bool(ends),
        ),
        rows_at_once=solved["batch_size"],
        alive=alive,
    )
    trainer.remove_callback(PrinterCallback)
    return trainer
