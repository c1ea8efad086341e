"""The base policy p0 as an artifact: a local folder that transformers and vLLM both load.

Sources: a model shipped with restem, a folder, a GGUF file, a Python package that assembles one,
or a Hub id, with `@REVISION` behind it or with `model.revision`. Its digest stands in the
provenance of every sample.

The key has a Hub id with the revision as it was named, so a run finds what it made, also where the
Hub is not reached and whatever became of the branch. Which commit that was stands in the manifest
(`Stats.commits`), and a run is told where the branch is another one now.
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
from tasks.hub import Repository, noting_commits, repository
from tasks.paths import MODELS
from tasks.policy.hub_model import fetch_model
from tasks.processes.child import Child
from tasks.settings import ModelSettings
from tasks.store.manifest import Stats
from tasks.store.store import Draft

# What makes a model; a folder may hold more (training state, other formats).
_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
_MODULE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


def base_call(settings: ModelSettings, field: str = "model.base") -> Call:
    """The call that brings a base policy into the store.

    Args:
        settings: Its source and revision.
        field: Of the configuration that names it.

    Raises:
        UserError: there is no such model.
    """
    keyed = {"base": settings.base, "source": model_fingerprint(settings, field)}
    hints = settings.model_dump()
    if Path(settings.base).expanduser().exists():
        keyed["base"] = "path"  # the content counts, not where it lies
    elif repo := _repository(settings, field):
        keyed["base"] = repo.id
    if field != "model.base":
        hints["field"] = field
    return Call(base_model, "base policy", keyed, hints=hints)


def model_fingerprint(settings: ModelSettings, field: str = "model.base") -> str:
    """What identifies the content of a model source."""
    base = settings.base
    if base.startswith("package:"):
        return _packaged(base.removeprefix("package:"))
    path = local_model(base, field)
    if path is None:
        repo = _repository(settings, field)
        assert repo is not None  # else `local_model` had refused it
        return f"hub:{repo.id}@{repo.revision}"
    files = [path] if path.is_file() else _model_files(path)
    if path.is_dir() and not any(f.name == "config.json" for f in files):
        raise UserError(f"{field}: {path} has no config.json; expected a transformers model")
    sums = []
    for file in files:
        with file.open("rb") as stream:
            sums.append([file.name, hashlib.file_digest(stream, "sha256").hexdigest()])
    return hashlib.sha256(json.dumps(sums).encode()).hexdigest()


def _repository(settings: ModelSettings, field: str) -> Repository | None:
    return repository(settings.base, settings.revision, field=field, other="model.revision")


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
    """Fill a draft with the base policy; `hints` is a ModelSettings, and perhaps the field."""
    hints = dict(call.hints)
    field = hints.pop("field", "model.base")
    settings = ModelSettings(**hints)
    base = settings.base
    draft.stats = Stats(source=base)
    if base.startswith("package:") or base.endswith(".gguf"):
        _from_gguf(base, call, draft.path, runtime)
        return
    path = local_model(base, field)
    if path is not None:
        for file in _model_files(path):
            shutil.copyfile(file, draft.path / file.name)
        return
    repo = _repository(settings, field)
    assert repo is not None  # else `local_model` had refused it
    with noting_commits() as commits:
        fetch_model(repo, draft.path, _FILES, field)
    draft.stats = Stats(source=base, commits=commits or None)


def _from_gguf(base: str, call: Call, out: Path, runtime: Runtime) -> None:
    work = runtime.work(call.key)
    work.mkdir(parents=True, exist_ok=True)
    package = base.removeprefix("package:") if base.startswith("package:") else ""
    gguf = work / "model.gguf" if package else Path(base).expanduser()
    with Child.module("tasks.policy.gguf:main", log=runtime.logs / "model.log") as child:
        child.call({"package": package, "gguf": str(gguf), "out": str(out)})


def local_model(base: str, field: str = "model.base") -> Path | None:
    """The folder or file a source names, or None for a Hub id."""
    if base.startswith("embedded:"):
        shipped = {path.name: path for path in MODELS.iterdir() if path.is_dir()}
        name = base.removeprefix("embedded:")
        if name not in shipped:
            raise UserError(
                f"{field}: no embedded model {name!r:.200}; expected one of: "
                f"{', '.join(sorted(shipped))}"
            )
        return shipped[name]
    path = Path(base).expanduser()
    if path.exists():
        return path
    if base.endswith(".gguf") or repository(base) is None:
        raise UserError(
            f"{field}: {base!r} does not exist; expected embedded:NAME, package:MODULE, "
            "a folder, a .gguf file or a Hub id (org/name or org/name@REVISION)"
        )
    return None


def _model_files(path: Path) -> list[Path]:
    return sorted({file for pattern in _FILES for file in path.glob(pattern)})
