"""Write all pages of the site, for zensical to build: `python -m scripts.site [FOLDER]`.

`make docs` does both. Beside the documents of docs/ these pages are made here: the references of
configurations, commands and the Python interface. They are in no repository, so they cannot be old.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import flows.api
from flows.config.evaluate import EvaluateConfig
from flows.config.rest_em import RestEmConfig
from scripts.site import fields, verbs
from scripts.site.pages import write_pages
from tasks.paths import ROOT

STAGE = ROOT / "build" / "docs" / "pages"
FOLDER = "reference"
RUN = """Every field of a run: in a TOML file, with `--set FIELD=VALUE`, or in the form of Prefect's
UI. The page is made from the models that read them. *Recipe* fields change the result, so they are
in the keys of the cache and in the run's id; the section `resources` changes no result and is in
no key. The column *paper* says what the paper has (arXiv 2312.06585), where it says something
([the recipe](../recipe.md))."""
EVALUATION = """Every field of `restem evaluate --config FILE`. The paper has no column of its own
here but for fields that a run has too."""
CONFIG = "Its fields: [the configuration of a run](configuration.md)."
PYTHON = """What `restem.api` offers, made from its docstrings; [restem from Python](../python.md)
shows how it is used."""


def references() -> dict[str, str]:
    """The pages that are made, by file name."""
    return {
        "configuration.md": fields.page(RestEmConfig, "Configuration of a run", RUN, "The run"),
        "evaluation.md": fields.page(
            EvaluateConfig, "Configuration of an evaluation", EVALUATION, "The evaluation"
        ),
        "commands.md": verbs.page(),
        "python.md": _python(),
    }


def _python() -> str:
    lines = ["# Python reference", "", PYTHON, ""]
    for name in flows.api.__all__:
        found = getattr(flows.api, name)
        lines += [f"## {name}", "", f"::: {found.__module__}.{found.__qualname__}"]
        if found is RestEmConfig:
            lines += ["    options:", "      members: [run_id]", "", CONFIG]
        lines += [""]
    return "\n".join(lines)


def forge() -> str:
    """The address of the checkout's files, where a forge builds this."""
    server, name = os.environ.get("GITHUB_SERVER_URL"), os.environ.get("GITHUB_REPOSITORY")
    return f"{server}/{name}/blob/{os.environ['GITHUB_SHA']}" if server and name else ""


def main() -> None:
    """Write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=STAGE)
    folder: Path = parser.parse_args().folder
    write_pages(folder, forge())
    (folder / FOLDER).mkdir(exist_ok=True)
    for name, text in references().items():
        (folder / FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
