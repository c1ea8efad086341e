"""What the files of a model folder say without its weights: configuration, weights there, size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.errors import UserError
from tasks.rows import Json

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_INDEX = "model.safetensors.index.json"
_LENGTH_BYTES = 8  # of a safetensors header, which stands before it
_HEADS = ("ForCausalLM", "LMHeadModel")


def read_config(folder: Path, field: str) -> tuple[PreTrainedConfig, Json]:
    """The configuration of a causal language model, and its JSON.

    Raises:
        UserError: it is of no model that can be sampled from, naming `field`.
    """
    raw = _json(folder / "config.json", field)
    kind = raw.get("model_type")
    from transformers import AutoConfig, __version__
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSAL

    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        own = "and brings code of its own, which restem does not run" if "auto_map" in raw else ""
        raise UserError(
            f"{field}: transformers {__version__} knows no model_type {kind!r} {own}".rstrip()
            + "; expected a family of docs/models.md"
        )
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except Exception as error:  # each configuration checks itself in its own way
        raise UserError(
            f"{field}: its config.json is not that of a {kind} model ({_first(error)}); expected "
            "the file that came with it"
        ) from None
    names = raw.get("architectures") or []
    classes = {
        one for made in CAUSAL.values() for one in ([made] if isinstance(made, str) else made)
    }
    fit = [name for name in names if name in classes or str(name).endswith(_HEADS)]
    if kind not in CAUSAL or config.is_encoder_decoder or (names and not fit):
        what = str(names[0]) if names else f"{kind} model"
        raise UserError(
            f"{field}: {what} does not continue a text; expected a causal language model "
            "(...ForCausalLM)"
        )
    return config, raw


def check_weights(folder: Path, field: str) -> None:
    """See that all weights are there, by the headers of their files.

    Raises:
        UserError: they are not, or not in safetensors.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UserError(
            f"{field}: there are no weights in safetensors; expected *.safetensors (.bin files are "
            "programs, and are not loaded)"
        )
    if (folder / _INDEX).is_file():
        wanted = set(_json(folder / _INDEX, field).get("weight_map", {}).values())
        if missing := sorted(wanted - {file.name for file in files}):
            raise UserError(
                f"{field}: {missing[0]} is missing, with {len(missing)} of {len(wanted)} files; "
                f"expected all that {_INDEX} names"
            )
    for file in files:
        _check_size(file, field)


def _check_size(file: Path, field: str) -> None:
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(_LENGTH_BYTES), "little")
        # A broken length may be any number.
        text = stream.read(length) if length < size else b""
    try:
        header: dict[str, dict[str, list[int]]] = json.loads(text)
        ends = [one["data_offsets"][1] for name, one in header.items() if name != "__metadata__"]
        whole = _LENGTH_BYTES + length + max(ends, default=0)
    except (ValueError, KeyError, TypeError, AttributeError):
        whole = size + 1
    if size < whole:
        raise UserError(
            f"{field}: {file.name} is cut short; expected it as it was downloaded whole"
        )


def skeleton(config: PreTrainedConfig) -> PreTrainedModel:
    """The model without its weights, which take no memory."""
    import torch
    from transformers import AutoModelForCausalLM

    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(
            config, dtype=torch.float32, trust_remote_code=False
        )


def _json(path: Path, field: str) -> Json:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{field}: {path.name} cannot be read; expected a JSON object in it")
    return found


def _first(error: Exception) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__
