"""The site has every document, every field and every verb. `make docs` builds it, strictly."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from pydantic import BaseModel

import flows.api
from flows.cli.main import app
from flows.config.evaluate import EvaluateConfig
from flows.config.rest_em import RestEmConfig
from scripts.site import fields
from scripts.site.__main__ import FOLDER, references
from scripts.site.pages import LINK, documents, page_of, rewritten, write_pages
from scripts.site.verbs import options
from tasks.paths import ROOT

PAGES = references()
SITE = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
ADDRESS = "https://forge.invalid/files"


def named(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every field of a model and of the models inside it, and what it means."""
    for name, field in model.model_fields.items():
        inner = (field.annotation, *get_args(field.annotation))
        [section] = [
            one for one in inner if isinstance(one, type) and issubclass(one, BaseModel)
        ] or [None]
        if section:
            listed = section is not field.annotation
            yield from named(section, f"{prefix}{name}{'[]' if listed else ''}.")
        if not section or section is not field.annotation:
            yield f"{prefix}{name}", field.description or ""


@pytest.mark.parametrize(
    ("model", "page"),
    [(RestEmConfig, "configuration.md"), (EvaluateConfig, "evaluation.md")],
    ids=["run", "evaluation"],
)
def test_the_reference_has_every_field_with_its_meaning(model: type[BaseModel], page: str) -> None:
    wanted = dict(named(model))
    rows = re.findall(r'^\| <span id="([^"]+)">`\w+`</span> \| (.*)$', PAGES[page], re.MULTILINE)
    assert [name for name, _ in rows] != [] and {name for name, _ in rows} == set(wanted)
    for name, row in rows:
        meaning = row.split(" | ")[0]
        assert meaning.replace("&lt;", "<").startswith(wanted[name].split("|")[0][:40]), name
        assert len(meaning) > 10, name


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("sampling.samples", ["whole number", "≥ 1, ≤ 4096", "`32`", "MATH 32, APPS 64"]),
        ("sampling.engine", ["`transformers`, `vllm`", "`transformers`"]),
        ("sampling.max_tokens", ["tokens", "`512`", "not stated"]),
        ("finetune.packing", ["yes/no", "`true`"]),
        ("data.more[].source", ["text"]),
    ],
)
def test_a_field_has_type_bounds_default_and_what_the_paper_has(name: str, said: list[str]) -> None:
    [row] = [line for line in PAGES["configuration.md"].splitlines() if f'id="{name}"' in line]
    assert [part for part in said if part not in row] == []


def test_the_recipe_names_fields_that_there_are() -> None:
    found = fields.paper()
    assert len(found) > 15
    assert set(found) <= dict(named(RestEmConfig)).keys()


def verbs(command: Any, name: str = "restem") -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
    for inner, verb in getattr(command, "commands", {}).items():
        yield from verbs(verb, f"{name} {inner}")


def test_the_reference_has_every_verb_and_option() -> None:
    page = PAGES["commands.md"]
    titles = re.findall(r"^## (.*)$", page, re.MULTILINE)
    found = dict(verbs(typer.main.get_command(app)))
    assert len(found) > 25
    assert set(titles) == {name for name, verb in found.items() if not verb.hidden}
    for name, verb in found.items():
        section = page.split(f"## {name}\n")[1].split("\n## ")[0]
        assert verb.help and verb.help.split("\n")[0][:30] in section.replace("&lt;", "<"), name
        given = {opt for one in verb.params if not one.hidden for opt in one.opts if opt[0] == "-"}
        assert given - set(re.findall(r"-[\w-]+", section)) == set(), name
        assert len(options(verb)) <= section.count("\n| `"), name


def test_the_reference_has_all_that_python_offers() -> None:
    assert re.findall(r"^## (\w+)$", PAGES["python.md"], re.MULTILINE) == flows.api.__all__


def listed(nav: Any) -> Iterator[str]:
    if isinstance(nav, str):
        yield nav
    for one in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else []:
        yield from listed(one)


def test_every_page_stands_in_the_navigation() -> None:
    found = list(listed(SITE["nav"]))
    made = {f"{FOLDER}/{name}" for name in PAGES}
    assert sorted(found) == sorted({page_of(path) for path in documents()} | made)


@pytest.mark.parametrize("address", ["", ADDRESS], ids=["no forge", "a forge"])
def test_links_stay_on_the_site(tmp_path: Path, address: str) -> None:
    write_pages(tmp_path, address)
    dead = []
    for page in tmp_path.rglob("*.md"):
        text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
        for _, _, target in LINK.findall(text):
            name = target.partition("#")[0]
            if re.match(r"[a-z]+:", target):
                if target.startswith(ADDRESS):
                    assert (ROOT / target.removeprefix(ADDRESS + "/")).exists(), target
            elif name and not (page.parent / name).exists():
                dead.append(f"{page.name}: {target}")
    # The references are made beside these.
    assert [one for one in dead if f"{FOLDER}/" not in one] == []


@pytest.mark.parametrize(
    ("text", "address", "made"),
    [
        ("[a](docs/own.md#x)", "", "[a](own.md#x)"),
        ("[a](LICENSE)", "", "a"),
        ("[a](LICENSE)", ADDRESS, f"[a]({ADDRESS}/LICENSE)"),
        ("[a](https://x.y/z)", "", "[a](https://x.y/z)"),
        ("[![a](docs/pictures/report.png)](docs/results.md)", "",
         "[![a](pictures/report.png)](results.md)"),
        ("```\n[a](LICENSE)\n```", "", "```\n[a](LICENSE)\n```"),
        ("| `a \\| b` | c |", "", "| `a | b` | c |"),
    ],
)  # fmt: skip
def test_a_link_of_the_checkout_becomes_one_of_the_site(text: str, address: str, made: str) -> None:
    assert rewritten(text, ROOT / "README.md", address) == made


def test_the_site_takes_nothing_from_elsewhere() -> None:
    assert SITE["theme"]["font"] is False
    assert "offline" not in SITE["plugins"]  # it would load a script of somebody else's
