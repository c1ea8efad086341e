"""The variables that are set: which are known, which name something that is not there."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path

from flows.server.hosts import HOSTS_VARIABLE, host_names
from flows.station.doctor.finding import Finding
from flows.station.doctor.services import UI_PORT
from tasks.errors import UserError
from tasks.paths import ROOT

_NAME = re.compile(r"\bRESTEM_[A-Z][A-Z_]*[A-Z]\b")
_PACKAGES = ("flows", "tasks", "sandbox")
# Of services that a run may use; what they hold is never shown.
_KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HF_TOKEN", "WANDB_API_KEY", "MLFLOW_TRACKING_URI")
_FOLDERS = {"RESTEM_DATA": "", "RESTEM_PATHS": ":"}


def known() -> set[str]:
    """The variables that our own code names."""
    files = (path for package in _PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {name for path in files for name in _NAME.findall(path.read_text(encoding="utf-8"))}


def variables() -> list[Finding]:
    """What is set of ours."""
    given = sorted(name for name in os.environ if name.startswith("RESTEM_"))
    ours, found = known(), []
    for name in given:
        if name not in ours:
            near = difflib.get_close_matches(name, sorted(ours), 1)
            todo = f"did you mean {near[0]}?" if near else "unset it"
            found.append(Finding(name, "warning", "set, and known to nothing here", todo))
        for folder in _folders(name):
            if not Path(folder).expanduser().is_dir():
                found.append(Finding(name, "warning", f"{folder} is not there", "correct it"))
    try:
        host_names(UI_PORT)
    except UserError as error:
        found.append(Finding(HOSTS_VARIABLE, "fails", str(error), "correct it"))
    if found:
        return found
    return [Finding("variables", "ok", ", ".join(given) or "none of ours is set")]


def _folders(name: str) -> list[str]:
    separator, value = _FOLDERS.get(name), os.environ[name]
    if separator is None or not value:
        return []
    return [one for one in (value.split(separator) if separator else [value]) if one]


def keys() -> list[Finding]:
    """Which keys of hosted services are there."""
    there = [name for name in _KEYS if os.environ.get(name, "").strip()]
    if not there:
        return [Finding("keys of services", "missing", "none; a plain run asks nobody outside")]
    return [Finding("keys of services", "ok", f"{', '.join(there)} (not shown)")]
