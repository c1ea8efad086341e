"""The base policy p0 as an artifact: a local folder that transformers and vLLM both load.

Sources: a model shipped with restem, a folder, a GGUF file, a Python package that assembles one,
or a Hub id. Its digest stands in the provenance of every sample.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import json
import re
import shutil
from pathlib import Path

from tasks.dag.runtime import Runtime
from tasks.dag.step import Call, step
from tasks.errors import UserError
from tasks.paths import MODELS
from tasks.processes.child import Child
from tasks.settings import ModelSettings
from tasks.store.manifest import Stats
from tasks.store.store import Draft

# What makes a model; a folder may hold more (training state, other formats).
_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def base_call(settings: ModelSettings) -> Call:
    """The call that brings the base policy into the store.

    Raises:
        UserError: there is no such model.
    """
    keyed = {"base": settings.base, "source": model_fingerprint(settings)}
    if Path(settings.base).expanduser().exists():
        keyed["base"] = "path"  # the content counts, not where it lies
    return Call(base_model, "base policy", keyed, hints=settings.model_dump())


def model_fingerprint(settings: ModelSettings) -> str:
    """What identifies the content of a model source."""
    base = settings.base
    if base.startswith("package:"):
        return _packaged(base.removeprefix("package:"))
    path = local_model(base)
    if path is None:
        return f"hub:{base}@{settings.revision}"
    files = [path] if path.is_file() else _model_files(path)
    if path.is_dir() and not any(f.name == "config.json" for f in files):
        raise UserError(f"model.base: {path} has no config.json; expected a transformers model")
    sums = []
    for file in files:
        with file.open("rb") as stream:
            sums.append([file.name, hashlib.file_digest(stream, "sha256").hexdigest()])
    return hashlib.sha256(json.dumps(sums).encode()).hexdigest()


def _packaged(module: str) -> str:
    """Name and version of the distribution that a module is of."""
    if not _MODULE.fullmatch(module):
        raise UserError(f"model.base: package:{module:.100}: expected the name of a Python module")
    name = module.replace("_", "-")
    try:
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError
    except ImportError:
        raise UserError(f"model.base: package {module} is missing; pip install {name}") from None
    version = importlib.metadata.packages_distributions().get(module, [module])[0]
    try:
        return f"{version}=={importlib.metadata.version(version)}"
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            f"model.base: {module} is a module of no installed package; expected one with a model"
        ) from None


@step("base_model", "model")
def base_model(call: Call, draft: Draft, runtime: Runtime) -> None:
    """Fill a draft with the base policy; `hints` is a ModelSettings."""
    settings = ModelSettings(**call.hints)
    base = settings.base
    draft.stats = Stats(source=base)
    if base.startswith("package:") or base.endswith(".gguf"):
        _from_gguf(base, call, draft.path, runtime)
        return
    path = local_model(base)
    if path is not None:
        for file in _model_files(path):
            shutil.copyfile(file, draft.path / file.name)
        return
    from huggingface_hub import snapshot_download

    try:
        snapshot_download(
            base, revision=settings.revision, local_dir=draft.path, allow_patterns=list(_FILES)
        )
    except Exception as error:
        raise UserError(
            f"model.base: {base} could not be loaded from the Hub ({type(error).__name__}); "
            "expected a Hub id that this machine reaches, a folder or a .gguf file"
        ) from None
    shutil.rmtree(draft.path / ".cache", ignore_errors=True)


def _from_gguf(base: str, call: Call, out: Path, runtime: Runtime) -> None:
    work = runtime.work(call.key)
    work.mkdir(parents=True, exist_ok=True)
    package = base.removeprefix("package:") if base.startswith("package:") else ""
    gguf = work / "model.gguf" if package else Path(base).expanduser()
    with Child.module("tasks.policy.gguf:main", log=runtime.logs / "model.log") as child:
        child.call({"package": package, "gguf": str(gguf), "out": str(out)})


def local_model(base: str) -> Path | None:
    """The folder or file a source names, or None for a Hub id."""
    if base.startswith("embedded:"):
        shipped = {path.name: path for path in MODELS.iterdir() if path.is_dir()}
        name = base.removeprefix("embedded:")
        if name not in shipped:
            raise UserError(
                f"model.base: no embedded model {name!r:.200}; expected one of: "
                f"{', '.join(sorted(shipped))}"
            )
        return shipped[name]
    path = Path(base).expanduser()
    if path.exists():
        return path
    if base.endswith(".gguf") or not _HUB_ID.fullmatch(base):
        raise UserError(
            f"model.base: {base!r} does not exist; expected embedded:NAME, package:MODULE, "
            "a folder, a .gguf file or a Hub id (org/name)"
        )
    return None


def _model_files(path: Path) -> list[Path]:
    return sorted({file for pattern in _FILES for file in path.glob(pattern)})
