"""What is installed as `restem`: one package, so that no name of ours is one of yours.

In a checkout the packages `flows`, `tasks` and `sandbox` lie at its top; in an installed restem
they lie in restem/root, which is on nobody's path (setup.py lays it out). The program and the
processes that it starts put that folder first on theirs, and there the packages have their own
names. Where code of yours runs beside ours, in your script (restem/api.py) or in the process of a
reward, ours are `restem.flows` and so on, and `tasks` is your `tasks`: a module of ours that is
loaded so has an `__import__` of its own, which puts `restem.` before our three names.
"""

from __future__ import annotations

import builtins
import importlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

_HERE = Path(__file__).resolve().parent
# What tasks/paths.py calls ROOT, which cannot be asked before it is found.
ROOT = _HERE / "root" if (_HERE / "root").is_dir() else _HERE.parent
PACKAGES = ("flows", "tasks", "sandbox")


def use_own_names() -> None:
    """Let `flows`, `tasks` and `sandbox` be ours in this process, whatever its path becomes."""
    sys.path.insert(0, str(ROOT))
    for name in PACKAGES:
        importlib.import_module(name)


def run_beside_yours(module: str) -> None:
    """Run the `main` of a module of ours in a process that calls functions of the user's.

    Args:
        module: Such as tasks.score.reward_worker.
    """
    # A station's processes have it there, for Prefect starts its runs by module names.
    sys.path[:] = [one for one in sys.path if one != str(ROOT)]
    importlib.import_module(f"{__name__}.{module}").main()


def _ours(name: str) -> bool:
    return name.partition(".")[0] in PACKAGES


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    """The `__import__` of a module of ours that was imported as restem.SOMETHING."""
    if level or not _ours(name):
        return builtins.__import__(name, globals, locals, fromlist, level)
    module = builtins.__import__(f"{__name__}.{name}", globals, locals, fromlist, 0)
    # Without a list of names the statement binds the first part of the whole name.
    return module if fromlist else getattr(module, name.partition(".")[0])


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__builtins__"] = _BUILTINS
        super().exec_module(module)


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        own, _, name = fullname.partition(".")
        if own != __name__ or not (_ours(name) or name == "api"):
            return None
        spec = PathFinder.find_spec(fullname, [str(ROOT)] if name in PACKAGES else path, target)
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


_BUILTINS: dict[str, Any] = {**vars(builtins), "__import__": _import}
sys.meta_path.insert(0, _Finder())
