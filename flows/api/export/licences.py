"""Where data sets and models come from and under which licence, as far as it is known.

Licences are those that the data sets' own pages state. What is not in the tables is said as
`unknown`, which is also the Hub's word for it.
"""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass
from pathlib import Path

from flows.config.rest_em import RestEmConfig
from tasks.hub import repository
from tasks.settings import DataSettings

UNKNOWN = "unknown"
OURS = "apache-2.0"


@dataclass(frozen=True)
class Origin:
    """A data set: its id on the Hub ("" where it has none or none is known) and its licence."""

    name: str
    hub: str = ""
    licence: str = UNKNOWN


_KNOWN = {
    "gsm8k": ("openai/gsm8k", "mit"),
    "svamp": ("ChilleD/SVAMP", "mit"),
    "svamp_code": ("ChilleD/SVAMP", "mit"),
    "math": ("EleutherAI/hendrycks_math", "mit"),
    "math500": ("HuggingFaceH4/MATH-500", "mit"),
    "apps": ("codeparrot/apps", "mit"),
    "humaneval": ("openai/openai_humaneval", "mit"),
    "bbh": ("SaylorTwift/bbh", "mit"),
    "hungarian": ("keirp/hungarian_national_hs_finals_exam", UNKNOWN),
}


def data_origin(data: DataSettings, side: str) -> Origin:
    """The data set of a side of a run.

    Args:
        data: The settings.
        side: train or test.
    """
    same = side == "train" or data.test in ("same", data.train)
    name = data.train if same else data.test
    source = data.source if side == "train" else data.test_source or (data.source if same else "")
    if name.startswith("synthetic"):
        return Origin(name, licence=OURS)
    if not source:
        return Origin(name, *_KNOWN.get(name, ("", UNKNOWN)))
    if Path(source).expanduser().exists():
        # A copy of a known set keeps its licence; where it lies on this machine is nobody's affair.
        return Origin(f"{name} ({Path(source).name})", "", _KNOWN.get(name, ("", UNKNOWN))[1])
    repo = repository(source)
    return Origin(name, repo.id if repo else source)


def base_licence(config: RestEmConfig) -> str:
    """Licence of the base model, as the package or the folder that it came from says."""
    base = config.model.base
    if base.startswith("embedded:"):
        return OURS
    if base.startswith("package:"):
        return _of_package(base.removeprefix("package:"))
    card = Path(base).expanduser() / "README.md"
    return _of_card(card) if card.is_file() else UNKNOWN


def public_name(source: str) -> str:
    """A model's source without the folders of this machine in front of it."""
    return Path(source).name if Path(source).expanduser().is_absolute() else source


def base_hub(config: RestEmConfig) -> str:
    """Id of the base model on the Hub, or ""."""
    base = config.model.base
    plain = ":" not in base and not base.endswith(".gguf")
    if not plain or Path(base).expanduser().exists():
        return ""
    repo = repository(base)
    return repo.id if repo else base


def _of_card(card: Path) -> str:
    from huggingface_hub import metadata_load

    try:
        found = (metadata_load(card) or {}).get("license")
    except Exception:  # whatever a broken front matter gives in YAML
        return UNKNOWN
    return found if isinstance(found, str) else UNKNOWN


def _of_package(module: str) -> str:
    names = importlib.metadata.packages_distributions().get(module, [])
    if not names:
        return UNKNOWN
    found = importlib.metadata.metadata(names[0])
    fields = [name for name in ("License-Expression", "License") if name in found]
    said = found[fields[0]].strip() if fields else ""
    # The Hub writes SPDX names in lower case.
    return said.lower() if said and "\n" not in said and " " not in said else UNKNOWN
