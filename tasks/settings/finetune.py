"""Settings of the M-step."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from tasks.settings.section import Section
from tasks.settings.trainer_args import FOR_PAIRS, NOT_RL, Value, parse_trainer_args

# What pairs are made of (`pairs`).
VERDICTS, PREFERENCES, HUMAN = "verdicts", "preferences", "human"
# `improve` of a policy that draws samples of its own.
RL = "rl"


class FinetuneSettings(Section):
    """The M-step: fine-tuning on the selected samples."""

    LATEST: ClassVar[frozenset[str]] = frozenset(
        {
            "pairs",
            "nll",
            "reference",
            "generations",
            "temperature",
            "choose",
            "trainer_args",
            "blend",
            "blend_with",
        }
    )
    LATER: ClassVar[frozenset[str]] = LATEST | {"improve", "beta"}

    improve: Literal["sft", "dpo", "kto", "rl"] = Field(
        default="sft",
        description="How a policy is improved. `sft`: likelihood of the accepted samples (paper). "
        "`dpo`: preference between samples of the same problem (2305.18290), see `pairs`. `kto`: "
        "right and wrong samples, each for itself (2402.01306). `rl`: "
        "policy gradient with a leave-one-out baseline (RLOO, 2402.14740) on samples of its own, "
        "whose reward is that of `reward.by` (RLHF, RLAIF: 2309.00267).",
    )
    pairs: Literal["verdicts", "preferences", "extremes", "human"] = Field(
        default="verdicts",
        description="DPO: which pairs. `verdicts`: correct over wrong samples. `preferences`: "
        "those that `judge.labels` labels, by how surely (soft labels). `extremes`: a problem's "
        "highest over its lowest rewards (self-rewarding, 2401.10020: with `filter.cap` = 1). "
        "`human`: the data set's own solution over samples, right or wrong (SPIN, 2401.01335).",
    )
    nll: float = Field(
        default=0.0,
        ge=0.0,
        le=100.0,
        description="DPO: weight of the negative log-likelihood of the chosen side, a token's "
        "mean, beside the preference (iterative RPO, 2404.19733: 1). 0: off.",
    )
    reference: Literal["start", "base"] = Field(
        default="start",
        description="DPO, KTO: the policy that p_0 stands for in the loss. `start`: the one that "
        "training starts from. `base`: the base, also where it starts from the last.",
    )
    beta: float = Field(
        default=0.1,
        gt=0.0,
        le=10.0,
        description="How strongly the policy is held at the one that it starts from. DPO: as in "
        "the paper. RL: weight of the KL to it in a sample's reward (RLAIF: 0.05).",
    )
    generations: int = Field(
        default=2,
        ge=2,
        le=1024,
        description="RL: samples of a problem that are each other's baseline, in one optimiser "
        "step (RLOO: 2 and 4).",
    )
    temperature: float = Field(
        default=0.9,
        gt=0.0,
        le=10.0,
        description="RL: of its samples, and of the probabilities in the loss (RLAIF: 0.9).",
    )
    start_from: Literal["base", "last"] = Field(
        default="base",
        description="Policy that fine-tuning starts from (paper: base; ReST uses the last).",
    )
    method: Literal["full", "lora", "qlora"] = Field(
        default="full",
        description="Full fine-tuning (as the paper seems to) or LoRA adapters, merged after; "
        "`qlora`: on a base of four bits (a GPU and bitsandbytes).",
    )
    learning_rate: float = Field(
        default=1e-5,
        gt=0.0,
        le=1.0,
        description="Peak learning rate. Not in the paper; 1e-5 is usual for full fine-tuning.",
    )
    epochs: float = Field(
        default=3.0,
        gt=0.0,
        le=100.0,
        description="Most passes over the rows; validation may stop earlier. Not in the paper.",
    )
    batch_size: int = Field(
        default=32,
        ge=1,
        le=65_536,
        description="Packed sequences (dpo: pairs, rl: samples) for each optimiser step. Not in "
        "the paper (RLAIF's rl: 128).",
    )
    max_length: int = Field(
        default=1024,
        ge=16,
        le=131_072,
        description="Tokens of a packed sequence; longer rows are dropped and counted (rl: prompts "
        "that leave no room for `sampling.max_tokens`).",
    )
    packing: bool = Field(
        default=True,
        description="Pack several rows into a sequence without attention between them (sft alone).",
    )
    warmup: float = Field(
        default=0.03, ge=0.0, le=1.0, description="Share of steps with rising learning rate."
    )
    schedule: Literal["cosine", "linear", "constant"] = Field(
        default="cosine", description="Learning-rate schedule after the warm-up."
    )
    weight_decay: float = Field(default=0.0, ge=0.0, le=1.0, description="AdamW weight decay.")
    max_grad_norm: float = Field(
        default=1.0, gt=0.0, le=1000.0, description="Gradient-norm clipping."
    )
    checks: int = Field(
        default=4,
        ge=0,
        le=100,
        description="How often in a fine-tune the validation reward is measured; the best model is "
        "kept. 0: never, keep the last. The paper trains while validation reward improves.",
    )
    choose: Literal["best", "one_se", "last"] = Field(
        default="best",
        description="Which check is kept. `best`: the highest validation reward (paper). `one_se`: "
        "the earliest within one standard error of the best, by differences on the same problems; "
        "it holds the weights of several checks until the end. `last`: the last, and `patience` "
        "does not stop training.",
    )
    patience: int = Field(
        default=2,
        ge=1,
        le=100,
        description="Stop after so many checks without a better validation reward.",
    )
    trainer_args: list[str] = Field(
        default_factory=list,
        max_length=64,
        description="Arguments of TRL's trainer that no field here decides, each `name=value`, "
        "such as `optim=adamw_8bit` or `torch_compile=true` (tasks/settings/trainer_args.py).",
    )
    blend: list[float] = Field(
        default=[],
        max_length=20,
        description="Go on with a mean of the weights before and after the fine-tune, which has "
        "this share of those after it (WiSE-FT, 2504.10478), such as [0.5]. Of several the one "
        "with the highest validation reward. Empty: with the tuned policy itself.",
    )
    blend_with: Literal["base", "last"] = Field(
        default="base",
        description="Whose weights are mixed in: those of the base, or of the policy that the "
        "samples are from.",
    )
    lora_rank: int = Field(default=16, ge=1, le=1024, description="Rank of LoRA adapters.")
    lora_alpha: int = Field(default=32, ge=1, le=4096, description="Scale of LoRA adapters.")

    @field_validator("blend")
    @classmethod
    def _shares(cls, value: list[float]) -> list[float]:
        if not all(0.0 <= one <= 1.0 for one in value) or len(set(value)) < len(value):
            raise ValueError(
                f"expected shares in [0, 1], each once, such as [0.5, 1.0], not {value}"
            )
        return value

    @property
    def training(self) -> FinetuneSettings:
        """What decides the fine-tune itself: what is made of it afterwards is left out."""
        return self.model_copy(update={"blend": [], "blend_with": "base"})

    @model_validator(mode="after")
    def _known_arguments(self) -> FinetuneSettings:
        try:
            found = self.arguments
        except ValueError as error:
            raise ValueError(f"finetune.trainer_args: {error}") from None
        for name in FOR_PAIRS:
            if name in found and self.improve != "dpo":
                raise ValueError(
                    f"finetune.trainer_args: {name} is of finetune.improve = dpo alone"
                )
            if name in found and self.pairs == PREFERENCES:
                raise ValueError(
                    f"finetune.trainer_args: {name} is of hard labels; expected none with "
                    "finetune.pairs = preferences"
                )
        for name in NOT_RL:
            if name in found and self.improve == RL:
                raise ValueError(f"finetune.trainer_args: {name} is not of finetune.improve = rl")
        return self

    @model_validator(mode="after")
    def _fits_together(self) -> FinetuneSettings:
        if self.pairs != VERDICTS and self.improve != "dpo":
            raise ValueError(f"finetune.pairs: {self.pairs} is of finetune.improve = dpo alone")
        if self.improve == RL and self.batch_size % self.generations:
            raise ValueError(
                f"finetune.batch_size: {self.batch_size} samples are not {self.generations} "
                "(finetune.generations) of each problem; expected a multiple"
            )
        return self

    @property
    def has_adapters(self) -> bool:
        """Whether adapters are trained beside frozen weights."""
        return self.method != "full"

    @property
    def arguments(self) -> dict[str, Value]:
        """`trainer_args` by name."""
        return parse_trainer_args(self.trainer_args)
