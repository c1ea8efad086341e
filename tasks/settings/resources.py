"""Settings of the machine: where and how fast, never what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from tasks.settings.place import Place
from tasks.settings.sampling import NeutralField
from tasks.settings.section import Section
from tasks.settings.vllm_args import MOST, check_resource_args


class Resources(Section):
    """Where and how fast; changes no result and stands in no cache key.

    Two caveats. Shard sizes group the samples: other sizes give the same samples in other
    artifacts, so they are sampled again. Batch sizes and devices change floating-point sums in the
    last bit, so equal digests are promised on equal resources only.
    """

    store: Place = Field(
        default="",
        description="Where artifacts lie: a folder or fsspec address. Empty: RESTEM_HOME/store.",
    )
    rebuild: bool = Field(
        default=False,
        description="Start although the store has lost most of what the run made, and make it "
        "again. Holds for this start alone.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Device of engines and trainers."
    )
    threads: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="CPU threads of a child process; 0: all cores it may use.",
    )
    batch_size: int = Field(
        default=256,
        ge=1,
        le=65_536,
        description="Sequences decoded at once (transformers engine; vLLM's max_num_seqs).",
    )
    engines: int = Field(
        default=1,
        ge=1,
        le=4096,
        description="Sampling engines at once, each on GPUs of its own: child processes here, "
        "workers on Ray.",
    )
    gpus_per_engine: int = Field(
        default=1,
        ge=0,
        le=64,
        description="GPUs that an engine spreads its model over (tensor parallelism), and that it "
        "asks of Ray; without CUDA none are used.",
    )
    endpoints: list[str] = Field(
        default_factory=list,
        max_length=1024,
        description="Addresses that sample instead of child processes: `restem engine serve`, or "
        "OpenAI-compatible servers of this very policy. For the vllm engine.",
    )
    vllm_args: Annotated[list[str], AfterValidator(check_resource_args)] = Field(
        default_factory=list,
        max_length=MOST,
        examples=[["max_num_batched_tokens=16384", "optimization_level=3"]],
        description="Arguments of vLLM's own that change speed and memory alone, each name=value. "
        "A `restem engine serve` has its own.",
    )
    endpoints_without: list[NeutralField] = Field(
        default=[],
        description="Fields that a plain OpenAI-compatible server of `endpoints` does not take, so "
        "they are not sent. For servers without a default of their own for them; with one their "
        "samples are of another distribution (docs/clusters.md).",
    )
    stall_seconds: float = Field(
        default=900.0,
        gt=0.0,
        le=86_400.0,
        description="An engine that gives no sign of life for so long, in loading too, is started "
        "again.",
    )
    train_stall_seconds: float = Field(
        default=1800.0,
        gt=0.0,
        le=604_800.0,
        description="A trainer that gives no sign of life for so long is started again from its "
        "last checkpoint. Loading a model and saving a checkpoint are signs.",
    )
    hosted_requests: int = Field(
        default=8,
        ge=1,
        le=1024,
        description="Requests under way at once at a hosted teacher (`sampling.teacher`).",
    )
    price_in: float = Field(
        default=0.0,
        ge=0.0,
        description="What a hosted teacher costs for a million tokens that it reads, in the "
        "currency of its bill; for the costs in the report.",
    )
    price_out: float = Field(
        default=0.0, ge=0.0, description="The same for a million tokens that it writes."
    )
    ray_address: str = Field(
        default="",
        description="Sample, score and fine-tune on this Ray cluster: `auto`, host:port or "
        "ray://host:port. Empty: on this machine.",
    )
    train_batch_size: int = Field(
        default=8,
        ge=1,
        le=4096,
        description="Packed sequences for each forward pass; the rest is accumulated.",
    )
    study_runs: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Runs of a study at once, each with an engine and a trainer of its own. 0: one "
        "a core, at most 8, where `threads` is 1 and there is no GPU, else one.",
    )
    train_processes: int = Field(
        default=1,
        ge=1,
        le=1024,
        description="Processes of a fine-tune, one a GPU, started by accelerate launch; of all "
        "machines together.",
    )
    train_machines: int = Field(
        default=1,
        ge=1,
        le=256,
        description="Machines of a fine-tune, which share its processes evenly and reach this "
        "machine's home. RESTEM_MACHINE_COMMAND starts a process on another (docs/clusters.md).",
    )
    train_strategy: Literal["ddp", "fsdp"] = Field(
        default="ddp",
        description="With several processes: each has the whole model (ddp), or a part (fsdp).",
    )
    score_workers: int = Field(
        default=0,
        ge=0,
        le=1024,
        description="Checker processes, or containers for code; 0: one a core.",
    )
    sandbox_runtime: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9._-]*$",
        description="The Docker engine's runtime for sandboxes, such as runsc; empty: its default.",
    )
    shard_problems: int = Field(
        default=256, ge=1, le=100_000, description="Problems in a shard of samples."
    )
    shard_samples: int = Field(
        default=8,
        ge=1,
        le=4096,
        description="Samples for each problem in a shard; N grows in such blocks.",
    )
    checkpoint_minutes: float = Field(
        default=5.0,
        gt=0.0,
        le=1440.0,
        description="A killed fine-tune repeats at most about so many minutes.",
    )
    memory_fraction: float = Field(
        default=0.85, gt=0.0, le=1.0, description="Share of GPU memory for vLLM."
    )
    cpu_cache_gb: float = Field(
        default=4.0, gt=0.0, le=4096.0, description="vLLM's key-value cache on CPU, GB."
    )

    @model_validator(mode="after")
    def _machines_share_processes(self) -> Resources:
        if self.train_processes % self.train_machines:
            raise ValueError(
                f"resources.train_processes: {self.train_processes} cannot be shared by "
                f"{self.train_machines} machines (resources.train_machines); expected a multiple"
            )
        if self.train_machines > 1 and self.ray_address:
            raise ValueError(
                "resources.train_machines: Ray gives a fine-tune one machine; expected 1 with "
                "resources.ray_address"
            )
        return self

    @property
    def addresses(self) -> list[tuple[str, str]]:
        """Every field that names where else to compute, and what it names."""
        endpoints = [("resources.endpoints", address) for address in self.endpoints]
        return [*endpoints, ("resources.ray_address", self.ray_address)]
