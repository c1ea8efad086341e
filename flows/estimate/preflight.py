"""`--dry-run`: whether what a run will need is there, a line for each, before anything is paid for.

Engine, sandbox, model and disk are looked at here, problems by the plan, which reads them for real
and looks into the model's files (tasks/model_checks). Nothing is started or loaded, and no other
machine is asked but the Hub, for a model's config.json.

Not covered: addresses of servers and clusters, which may answer only when the run starts.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from flows.config.rest_em import RestEmConfig
from flows.orchestrator.model_look import files_of
from tasks.dag.runtime import home, open_store
from tasks.errors import UserError
from tasks.facts import Facts

# Samples, verdicts, rows and Prefect's database of a run of usual size.
_DATA_BYTES = 300e6
# While it trains, a run keeps checkpoints, each of weights with two moments of the optimiser; and
# the old one until the new one is whole.
_CHECKPOINTS = 2 * 3
_WEIGHTS = ("*.safetensors", "*.bin", "*.gguf")


@dataclass(frozen=True)
class Ready(Facts):
    """One line.

    Attributes:
        name: What was looked at.
        ok: Whether a run would find it.
        text: What is there, or what is missing and how to get it.
    """

    name: str
    ok: bool
    text: str

    @property
    def line(self) -> str:
        """For a terminal."""
        return f"{self.name:<8} {'ok' if self.ok else 'missing':<8} {self.text}"


def preflight(
    config: RestEmConfig, problems: Mapping[str, int] | None, refused: str = ""
) -> list[Ready]:
    """Look at everything.

    Args:
        problems: How many of each split the plan read; None where it was refused.
        refused: Why it was.
    """
    of_model = refused.startswith(("model.", "sampling.max_tokens", "finetune.", "resources."))
    counts = ", ".join(f"{count:,} {split}" for split, count in (problems or {}).items())
    data = Ready("data", True, counts or "read")
    model = _look("model", lambda: _model(config))
    if of_model:
        model = Ready("model", False, refused)
    elif refused:
        data = Ready("data", False, refused)
    found = [_look("engine", lambda: _engine(config))]
    if config.sandbox is not None:
        found.append(_look("sandbox", lambda: _sandbox(config)))
    return [*found, data, model, _disk(config)]


def _look(name: str, look: Callable[[], str]) -> Ready:
    try:
        return Ready(name, True, look())
    except UserError as error:
        return Ready(name, False, str(error))


def _engine(config: RestEmConfig) -> str:
    resources = config.resources
    if config.sampling.engine != "vllm":
        return f"transformers {importlib.metadata.version('transformers')}"
    if resources.ray_address:
        return f"vLLM on the cluster at {resources.ray_address} (not asked)"
    if resources.endpoints:
        return f"vLLM at {', '.join(resources.endpoints)} (not asked)"
    from tasks.generate.vllm_environment import python_of, supported

    return f"vLLM of {supported(python_of(home()))}"


def _sandbox(config: RestEmConfig) -> str:
    from sandbox.image import find_image
    from sandbox.images import IMAGES
    from sandbox.pool import NoEngine, connect

    if config.resources.ray_address:
        return "on the machines of the cluster (not asked)"
    tag = IMAGES[config.execution.image].tag
    try:
        with contextlib.closing(connect()) as client:
            if find_image(client, tag) is None:
                return f"the engine answers; the run makes {tag} first, in about two minutes"
    except NoEngine as error:
        raise UserError(str(error)) from None
    return f"the engine answers and has {tag}"


def _model(config: RestEmConfig) -> str:
    base = config.model.base
    if place := _base_folder(config):
        return f"{base}: {_gigabytes(_weights(place))} in {place}"
    if base.startswith("package:"):
        from importlib.util import find_spec

        module = base.partition(":")[2]
        if find_spec(module) is None:
            raise UserError(f"{base}: no such package is installed")
        return f"{base}: installed; the run converts it"
    if base.endswith(".gguf"):
        return f"{base}: the run converts it"
    if files_of(base, config.model.revision)[0] is None:
        raise UserError(f"{base}: not on this machine, and the Hub does not give its config.json")
    return f"{base}: the run brings its weights"


def _base_folder(config: RestEmConfig) -> Path | None:
    """The base policy as a folder, or in the store, if it was made already."""
    from tasks.policy.step import base_call, local_model

    base = config.model.base
    if not base.startswith("package:"):
        place = local_model(base)
        if place is not None and place.is_dir():
            return place  # its key would be a hash of all its weights
    store = open_store(config.resources)
    if not store.local:
        return None
    call = base_call(config.model)
    folder = Path(store.root) / call.step.kind / call.key
    return folder if folder.is_dir() else None


def _disk(config: RestEmConfig) -> Ready:
    store = config.resources.store
    place = Path(store) if store and "://" not in store else home()
    there = next(one for one in (place, *place.parents) if one.exists())
    free = shutil.disk_usage(there).free
    size = 0
    with contextlib.suppress(UserError):
        folder = _base_folder(config)
        size = _weights(folder) if folder else 0
    need = _DATA_BYTES + size * (config.iterations + 1 + _CHECKPOINTS)
    known = "" if size else ", and the model's policies, of which the size is not known yet"
    text = f"{_gigabytes(free)} free in {there}; about {_gigabytes(need)} needed{known}"
    return Ready("disk", free > need and os.access(there, os.W_OK), text)


def _weights(folder: Path) -> int:
    return sum(file.stat().st_size for kind in _WEIGHTS for file in folder.glob(kind))


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:,.1f} MB"
