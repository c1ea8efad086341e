"""What the shell completes: runs, configurations and fields; `restem --install-completion`."""

from __future__ import annotations

from pathlib import Path


def known_runs(incomplete: str) -> list[str]:
    """Ids of runs, the newest first."""
    from flows.runs.journal import newest_heads

    known = ["latest", *(path.parent.name for path in newest_heads())]
    return [one for one in known if one.startswith(incomplete)]


def known_configurations(incomplete: str) -> list[str]:
    """Names of configurations, TOML files, and folders on the way to one."""
    from tasks.paths import CONFIGS

    folder = Path(incomplete if incomplete.endswith("/") else incomplete.rpartition("/")[0])
    names = [path.stem for path in sorted(CONFIGS.glob("*.toml"))]
    for path in sorted(folder.expanduser().glob("*")):
        if path.suffix == ".toml" or (path.is_dir() and not path.name.startswith(".")):
            names.append(f"{folder / path.name}{'/' if path.is_dir() else ''}")
    return [one for one in names if one.startswith(incomplete)]


def known_fields(incomplete: str) -> list[str]:
    """`FIELD=` of a run's configuration."""
    from flows.config.rest_em import RestEmConfig
    from flows.config.suggest import field_names

    names = field_names(RestEmConfig)
    sections = {name.rpartition(".")[0] for name in names}
    return [f"{one}=" for one in names if one not in sections and one.startswith(incomplete)]
