"""Where the parts of a checkout lie that are found by path and not by import."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / "configs"
MODELS = ROOT / "models"
# Started as a script of its own: it must run on any Python, without this package.
GUARD = ROOT / "tasks" / "processes" / "guard.py"
