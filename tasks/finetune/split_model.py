"""A model that is split among the training processes as it is loaded: FSDP2 from the meta device.

Only the first process opens the files, in the number format that they have, where safetensors maps
them. All make the same model without memory, split it (torch.distributed.fsdp.fully_shard) and take
their parts of one weight after the other as the first process sends it. So loading needs the
model's files in the first node's memory, as pages of the file, and on each device its part and one
weight. What is trained becomes float32 there; frozen weights beside adapters keep their format.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import distributed
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import AutoConfig, AutoModelForCausalLM, set_seed

from tasks.finetune.common import without_adapters
from tasks.finetune.families import mend
from tasks.finetune.load_model import adapted
from tasks.finetune.process_group import Ranks
from tasks.processes.wire import Message
from tasks.settings import FinetuneSettings

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class _Sent:
    """A tensor that the first process sends to all."""

    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype


def load_split(job: Message, settings: FinetuneSettings, device: str) -> PreTrainedModel:
    """The model of a job, each process with its part; all must call this.

    Args:
        job: `model` and `seed` are used.
        settings: Method and adapters.
        device: cpu or cuda.

    Returns:
        The model with its adapters, where there are any; what is trained is float32.
    """
    ranks = Ranks()
    model = empty_model(job, settings)
    given = _read(job, settings) if ranks.first else {}
    listed = ranks.tell(lambda: [_Sent(n, tuple(t.shape), t.dtype) for n, t in given.items()])
    formats = {one.name: one.dtype for one in listed}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:  # it has no memory yet
            parameter.data = parameter.data.to(formats[name])
    _split(model, device)
    here = torch.device("cuda", torch.cuda.current_device()) if device == "cuda" else "cpu"
    model.to_empty(device=here)
    model.tie_weights()
    _fill(model, listed, given)
    return model


def empty_model(job: Message, settings: FinetuneSettings) -> PreTrainedModel:
    """The model of a job on the meta device: shapes, and no memory."""
    config = AutoConfig.from_pretrained(job["model"], trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(
            config, dtype=torch.float32, trust_remote_code=False
        )
        mend(model)
        return _adapted(model, job, settings)


def _read(job: Message, settings: FinetuneSettings) -> dict[str, torch.Tensor]:
    """All parameters and buffers of the start model by name, as the files have them."""
    model = AutoModelForCausalLM.from_pretrained(
        job["model"], dtype="auto", use_safetensors=True, trust_remote_code=False
    )
    return {name: tensor.detach() for name, tensor in _tensors(_adapted(model, job, settings))}


def _adapted(model: PreTrainedModel, job: Message, settings: FinetuneSettings) -> PreTrainedModel:
    set_seed(job["seed"])  # of the adapters' first weights, as TRL sets it
    return adapted(model, settings)


def _tensors(model: PreTrainedModel) -> Iterator[tuple[str, torch.Tensor]]:
    yield from model.named_parameters()
    yield from model.named_buffers()


def _split(model: PreTrainedModel, device: str) -> None:
    """Split each block by itself, and the rest with the plain model.

    Validation calls the plain model, and training what peft puts around it, which has no weights of
    its own.
    """
    short = torch.bfloat16 if device == "cuda" else torch.float32
    # Gradients are added up in float32, as one process adds them.
    policy = MixedPrecisionPolicy(param_dtype=short, reduce_dtype=torch.float32)
    mesh = init_device_mesh(device, (distributed.get_world_size(),))
    blocks = set(getattr(model, "_no_split_modules", None) or ())
    for module in list(model.modules()):
        if type(module).__name__ in blocks:
            fully_shard(module, mesh=mesh, mp_policy=policy)
    plain = without_adapters(model)
    fully_shard(plain, mesh=mesh, mp_policy=policy, reshard_after_forward=False)
    if plain is not model:
        fully_shard(model, mesh=mesh, mp_policy=policy)


def _fill(model: PreTrainedModel, listed: list[_Sent], given: dict[str, torch.Tensor]) -> None:
    """Give each tensor of a model its values, one after the other.

    Raises:
        ValueError: the model has another tensor than those.
    """
    mine = dict(_tensors(model))
    if unknown := mine.keys() ^ {one.name for one in listed}:
        raise ValueError(f"{sorted(unknown)[:3]}: not in the files and the model alike")
    with torch.no_grad():
        for one in listed:
            target = mine[one.name]
            if given:
                whole = given.pop(one.name).to(target.device).contiguous()
            else:
                whole = torch.empty(one.shape, dtype=one.dtype, device=target.device)
            distributed.broadcast(_bytes(whole), src=0)
            if isinstance(target, DTensor):
                part = distribute_tensor(
                    whole, target.device_mesh, target.placements, src_data_rank=None
                )
                target.to_local().copy_(part.to_local())
            else:
                target.copy_(whole)


def take_apart(model: PreTrainedModel) -> None:
    """Let go of what the last forward pass put together, so that parameters are parts again."""
    for module in model.modules():
        if isinstance(module, FSDPModule):
            module.reshard()


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor's memory, for not every way of sending knows every number format."""
    return tensor.reshape(-1).view(torch.uint8)
