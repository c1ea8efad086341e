"""Where the parts of restem lie that are found by path and not by import.

ROOT is a checkout, or the folder restem/root of an installed restem, which has the same parts as
far as a run needs them (setup.py). `sandbox` imports nothing of ours and finds its own beside it.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Where the package `restem` lies.
PACKAGE_PLACE = ROOT if (ROOT / "restem").is_dir() else ROOT.parent.parent
CONFIGS = ROOT / "configs"
MODELS = ROOT / "models"
DEPLOYMENTS_FILE = ROOT / "prefect.yaml"
CONSTRAINTS = ROOT / "constraints.txt"
# Started as a script of its own: it must run on any Python, without this package.
GUARD = ROOT / "tasks" / "processes" / "guard.py"
