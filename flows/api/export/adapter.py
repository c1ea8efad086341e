"""The LoRA adapter of a policy alone, as peft loads it onto the base model.

A fine-tune of adapters keeps the merged policy and no adapter. But what merging added to a weight
has the adapter's rank, so the adapter is found again as the factors of the difference to the base:
the range of the difference times a random matrix with a few columns more than the rank (Halko et
al., arXiv 0909.4061), cut to the rank by the singular values of the small rest. Where a policy was
trained from the one before it (`finetune.start_from = "last"`), the ranks add up. What the factors
miss of the difference is compared with the rounding of the weights; more than that is refused.

QLoRA trains adapters on a rounded base and merges them into the base as its files have it, so the
difference has their rank too, and the adapter on the whole base is the policy that the run sampled.

One weight is in memory at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flows.api.export.policy import write_tokenizer
from flows.api.export.source import Source
from tasks.dag.step_names import BLEND, FINETUNE
from tasks.errors import UserError
from tasks.finetune.blend import TUNED
from tasks.hub import MAIN, repository
from tasks.store.manifest import ArtifactRef

if TYPE_CHECKING:
    import torch
    from safetensors import safe_open

# Columns of the random matrix beyond the rank.
_MORE = 8
# What a merge may lose: the relative rounding of the format, times the terms that are added up.
_TERMS = 8


@dataclass(frozen=True)
class _Pair:
    """A weight of the base and of the policy.

    Attributes:
        turned: Whether it is stored as (in, out).
        rounding: The relative rounding of the format that the policy's has.
    """

    module: str
    before: torch.Tensor
    after: torch.Tensor
    turned: bool
    rounding: float


def write_adapter(folder: Path, source: Source) -> None:
    """Write `adapter_model.safetensors`, `adapter_config.json` and the tokenizer.

    Raises:
        UserError: the policy was not made by fine-tunes of adapters, or differs by more.
    """
    from peft import LoraConfig
    from safetensors.torch import save

    policy = source.policy(source.number)
    base, tunes = _base_of(source, policy)
    repo = repository(source.config.model.base, source.config.model.revision)
    # The commit that the factors are of, where it is known: the branch may have moved.
    commits = source.store.manifest(base).stats.commits or {}
    rank = source.config.finetune.lora_rank * tunes
    tensors: dict[str, torch.Tensor] = {}
    modules: list[str] = []
    turned = False
    before, after = source.store.path(base), source.store.path(policy)
    for pair in _weights(before, after):
        one = min(rank, *pair.before.shape)
        up, down = _factors(pair, one)
        name = f"base_model.model.{pair.module}"
        tensors[f"{name}.lora_A.weight"] = _padded(down, rank, 0)
        tensors[f"{name}.lora_B.weight"] = _padded(up, rank, 1)
        modules.append(pair.module)
        turned |= pair.turned
    if not modules:
        raise UserError(f"--adapter: {source.run}:{source.number} has the weights of its base")
    config = LoraConfig(
        r=rank,
        lora_alpha=rank,  # the factors hold the scale
        target_modules=sorted(modules),
        base_model_name_or_path=repo.id if repo else source.config.model.base,
        revision=next(iter(commits.values()), repo.revision if repo else MAIN),
        fan_in_fan_out=turned,
        task_type="CAUSAL_LM",
        inference_mode=True,
    )
    (folder / "adapter_model.safetensors").write_bytes(save(tensors, {"format": "pt"}))
    config.save_pretrained(str(folder))
    write_tokenizer(after, folder)


def _base_of(source: Source, policy: ArtifactRef) -> tuple[ArtifactRef, int]:
    """The base policy behind a policy, and how many fine-tunes lie between them."""
    tunes = 0
    while (made := source.store.manifest(policy).provenance).step in (FINETUNE, BLEND):
        if made.step == FINETUNE:
            policy, tunes = made.inputs["start"], tunes + 1
        else:
            # A mean of the base and of an adapter is one; that of two adapters has both ranks.
            policy = made.inputs[TUNED]
            tunes += source.config.finetune.blend_with == "last"
    if not tunes:
        raise UserError(
            f"--adapter: {source.run}:{source.number} is the base policy; expected RUN:1 or later"
        )
    if not source.config.finetune.has_adapters:
        method = source.config.finetune.method
        raise UserError(
            f"--adapter: the run's finetune.method is {method}; expected lora or qlora. Without "
            "--adapter the whole policy is exported"
        )
    return policy, tunes


def _weights(before: Path, after: Path) -> Iterator[_Pair]:
    """The weights in which a policy differs from its base.

    Raises:
        UserError: one of them is of no linear layer.
    """
    import torch
    from accelerate import init_empty_weights
    from transformers import AutoConfig, AutoModelForCausalLM
    from transformers.pytorch_utils import Conv1D

    with init_empty_weights():
        model = AutoModelForCausalLM.from_config(
            AutoConfig.from_pretrained(after, trust_remote_code=False), trust_remote_code=False
        )
    modules = dict(model.named_modules())
    with ExitStack() as stack:
        old, new = _open(before, stack), _open(after, stack)
        for name in sorted(new):
            one = new[name].get_tensor(name)
            rounding = torch.finfo(one.dtype).eps / 2
            one = one.float()
            two = old[name].get_tensor(name).float() if name in old else None
            if two is not None and torch.equal(one, two):
                continue
            module = name.removesuffix(".weight")
            kind = modules.get(module)
            if two is None or not isinstance(kind, torch.nn.Linear | Conv1D):
                raise UserError(
                    f"--adapter: the policy differs from its base in {name}, which is no linear "
                    "layer; without --adapter the whole policy is exported"
                )
            yield _Pair(module, two, one, isinstance(kind, Conv1D), rounding)


def _open(folder: Path, stack: ExitStack) -> dict[str, safe_open]:
    """The open weights file of each tensor of a model folder."""
    from safetensors import safe_open

    found: dict[str, safe_open] = {}
    for path in sorted(folder.glob("*.safetensors")):
        file = stack.enter_context(safe_open(path, framework="pt"))
        found |= dict.fromkeys(file.keys(), file)
    return found


def _factors(pair: _Pair, rank: int) -> tuple[torch.Tensor, torch.Tensor]:
    """B (out, rank) and A (rank, in) with B A the difference.

    Raises:
        UserError: the difference has a higher rank.
    """
    import torch

    difference = (pair.after - pair.before).double()
    if pair.turned:
        difference = difference.T
    columns = min(rank + _MORE, *difference.shape)
    draw = torch.randn(
        difference.shape[1], columns, generator=torch.Generator().manual_seed(0)
    ).double()
    basis, _ = torch.linalg.qr(difference @ draw)
    left, values, right = torch.linalg.svd(basis.T @ difference, full_matrices=False)
    scale = values[:rank].sqrt()
    up, down = basis @ (left[:, :rank] * scale), scale[:, None] * right[:rank]
    missed = (difference - up @ down).abs().max().item()
    largest = max(pair.after.abs().max().item(), pair.before.abs().max().item())
    allowed = _TERMS * pair.rounding * largest
    if missed > allowed:
        raise UserError(
            f"--adapter: {pair.module} differs from the base by more than rank {rank} (by "
            f"{missed:.1e}); without --adapter the whole policy is exported"
        )
    return up.float(), down.float()


def _padded(factor: torch.Tensor, rank: int, dim: int) -> torch.Tensor:
    """A factor with zeros up to the rank, which is one for all layers."""
    import torch

    shape = list(factor.shape)
    shape[dim] = rank - shape[dim]
    return torch.cat([factor, torch.zeros(shape)], dim).contiguous()
