"""Every block of the documents is what it says: run by a test, taken by our parsers, or output.

The word behind the three ticks decides. `text` is what is printed, and a `console` block has what
is typed behind `$ ` and what is printed below. A block of any other kind is in `RUN_BY`, the table
of tests that run whole pages, or is looked at here: commands are read by the parser of `restem`,
and `DONE_BY` has the test that does in earnest what each does; their fields and configurations are
read by the models, other code by its language.
"""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from flows.cli.main import app
from flows.config.evaluate import EVALUATIONS, EvaluateConfig
from flows.config.read import change, parse
from flows.config.rest_em import RestEmConfig, load_config
from tasks.paths import CONFIGS, ROOT
from tests.docs.test_links import PAGES

BLOCK = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
OUTPUT = {"text", "console"}
COMMANDS = {"bash", "sh", "console"}
# Which test runs the blocks of a page, or reads them as the product does.
RUN_BY = {
    ("README.md", "python"): "tests/docs/test_readme.py",
    ("CONTRIBUTING.md", "python"): "tests/docs/test_contributing.py",
    ("CONTRIBUTING.md", "diff"): "tests/docs/test_contributing.py",
    ("docs/chat.md", "toml"): "tests/docs/test_chat_page.py",
    ("docs/data.md", "csv"): "tests/docs/test_data.py",
    ("docs/data.md", "toml"): "tests/docs/test_data.py",
    ("docs/export.md", "sh"): "tests/docs/test_export.py",
    ("docs/export.md", "python"): "tests/docs/test_export.py",
    ("docs/export.md", "json"): "tests/docs/test_export.py",
    ("docs/extending.md", "python"): "tests/flows/rest_em/test_extending.py",
    ("docs/extending.md", "diff"): "tests/flows/rest_em/test_extending.py",
    ("docs/labelling.md", "json"): "tests/docs/test_labelling.py",
    ("docs/labelling.md", "toml"): "tests/docs/test_labelling.py",
    ("docs/own.md", "sh"): "tests/docs/test_own.py",
    ("docs/own.md", "python"): "tests/docs/test_own.py",
    ("docs/own.md", "toml"): "tests/docs/test_own.py",
    ("docs/python.md", "python"): "tests/flows/api/test_python.py",
    ("docs/sandbox.md", "python"): "tests/docs/test_sandbox_page.py",
    ("docs/sandbox.md", "json"): "tests/docs/test_sandbox_page.py",
}
# Which test does in earnest what a command of the pages does, and words of that test.
DONE_BY = {
    "audit": ("tests/flows/audit/test_audit_command.py", '"audit"'),
    "backup": ("tests/flows/station/test_backup_station.py", '"backup"'),
    "bench": ("tests/bench/test_chaos.py", "bench"),
    "compare": ("tests/flows/compare/test_compare.py", '"compare"'),
    "data check": ("tests/docs/test_own.py", "own.md"),
    "demo": ("tests/flows/rest_em/test_code.py", '"demo"'),
    "doctor": ("tests/flows/station/test_doctor.py", '"doctor"'),
    "down": ("tests/flows/station/test_station.py", '"down"'),
    "engine check": ("tests/tasks/generate/test_vllm_versions.py", "engine_check"),
    "engine install": ("scripts/test_parts.sh", "engine install vllm --cpu"),
    "evaluate": ("tests/flows/evaluate/test_evaluate.py", '"evaluate"'),
    "execute": ("tests/docs/test_sandbox_page.py", '"execute"'),
    "export": ("tests/docs/test_export.py", "export.md"),
    "grade": ("tests/flows/cli/test_cli.py", '"grade"'),
    "import": ("tests/docs/test_export.py", "export.md"),
    "init": ("tests/docs/test_own.py", "own.md"),
    "label": ("tests/flows/audit/label/label_parts.py", '"label"'),
    "report": ("tests/docs/test_own.py", "own.md"),
    "restore": ("tests/flows/station/test_backup_station.py", '"restore"'),
    "resume": ("tests/flows/rest_em/test_review.py", '"resume"'),
    "review": ("tests/flows/rest_em/test_review.py", '"review"'),
    "run": ("tests/docs/test_own.py", "own.md"),
    "samples": ("tests/flows/cli/test_samples.py", '"samples"'),
    "sandbox build": ("tests/conftest.py", "build_image"),
    "service install": ("tests/flows/station/test_service.py", "service"),
    "service remove": ("tests/flows/station/test_service.py", "service"),
    "service status": ("tests/flows/station/test_service.py", "service"),
    "status": ("tests/docs/test_own.py", "own.md"),
    "store gc": ("tests/flows/cli/test_cli.py", '"gc"'),
    "store list": ("tests/flows/cli/test_cli.py", '"list"'),
    "store sign": ("tests/flows/cli/test_lost_store_cli.py", '"sign"'),
    "store verify": ("tests/flows/cli/test_lost_store_cli.py", '"verify"'),
    "study": ("tests/flows/study/test_study.py", "study("),
    "trace": ("tests/docs/test_own.py", "own.md"),
    "up": ("tests/flows/station/test_station.py", '"up"'),
}
# Programs of others that a command may begin with.
OTHERS = {
    *("cd", "export", "pip", "sudo", "docker", "docker-compose", "openssl", "umask", "git", "cp"),
    *("sed", "echo", "curl", "loginctl", "apt", "ln", "accelerate"),
}
# Names in the place of what the reader has, and what they stand for.
STANDS_FOR = {"RUN": "latest", "MODEL": "a/model", "NAME": "math-demo", "OTHER": "latest"}


@dataclass(frozen=True)
class Block:
    """A block of a page."""

    page: str
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def blocks() -> Iterator[Block]:
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for found in BLOCK.finditer(text):
            line = text[: found.start()].count("\n") + 1
            yield Block(str(path.relative_to(ROOT)), line, found[1], found[2])


BLOCKS = list(blocks())
HERE = [one for one in BLOCKS if (one.page, one.kind) not in RUN_BY]


def of(*kinds: str) -> Any:
    return pytest.mark.parametrize("block", [b for b in HERE if b.kind in kinds], ids=str)


def test_every_block_says_what_it_is() -> None:
    known = OUTPUT | COMMANDS | {"toml", "yaml", "python", "py"}
    assert [str(one) for one in HERE if one.kind not in known] == []
    assert len(BLOCKS) > 90


def test_no_block_is_left_open() -> None:
    for path in PAGES:
        ticks = re.findall(r"^\s*```", path.read_text(encoding="utf-8"), re.MULTILINE)
        found = [one for one in BLOCKS if one.page == str(path.relative_to(ROOT))]
        assert len(ticks) == 2 * len(found), path


@pytest.mark.parametrize(("page", "kind"), RUN_BY, ids=" ".join)
def test_the_test_that_runs_a_page_reads_it(page: str, kind: str) -> None:
    assert [one for one in BLOCKS if (one.page, one.kind) == (page, kind)]
    text = (ROOT / RUN_BY[page, kind]).read_text(encoding="utf-8")
    assert Path(page).name in text and re.search(rf"\b{kind}\b", text)


def commands(block: Block) -> Iterator[list[str]]:
    """The words of each command of a block, without what stands around it in a shell."""
    text = block.text.replace("\\\n", " ")
    for line in text.splitlines():
        if block.kind == "console":
            if not line.startswith("$ "):
                continue
            line = line[2:]
        words: list[str] = []
        found = shlex.shlex(line, posix=True, punctuation_chars="();|&")
        found.whitespace_split = True
        for word in found:
            if set(word) <= set("();|&"):
                if words:
                    yield words
                words = []
            else:
                words.append(word)
        if words:
            yield words


def plain(words: list[str]) -> list[str]:
    """A command without variables before it and redirection behind it."""
    while words and re.match(r"[A-Z_]+=", words[0]):
        words = words[1:]
    for place, word in enumerate(words):
        if re.fullmatch(r"\d?>>?", word) or word in ("<", ">"):
            return words[:place]
    return words


@of("bash", "sh", "console")
def test_commands_are_commands(block: Block) -> None:
    for words in map(plain, commands(block)):
        if not words:
            continue
        name, *rest = words[1:] if words[0] == "sudo" else words
        if name in ("restem", ".venv/bin/restem"):
            assert_read(rest)
        elif name == "make":
            assert re.search(rf"^{rest[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), words
        elif name in ("python", ".venv/bin/python"):
            assert_python(rest)
        elif name == ".venv/bin/pip":
            assert rest[0] == "install"
        else:
            assert name in OTHERS or name.startswith(("./", "scripts/")), words


def assert_python(words: list[str]) -> None:
    """A script or a module of the checkout, or pytest on a place of it."""
    if words[:2] == ["-m", "pytest"]:
        places = [word for word in words[2:] if word.startswith("tests")]
        assert all((ROOT / place).exists() for place in places), words
    elif words[0] == "-m" and words[1] != "pip":
        module = ROOT / words[1].replace(".", "/")
        assert module.with_suffix(".py").exists() or (module / "__main__.py").exists(), words
    elif words[0] != "-m":
        assert (ROOT / words[0]).exists(), words


@cache
def restem() -> Any:
    """Our parser, which takes long to be made."""
    return typer.main.get_command(app)


def assert_read(words: list[str]) -> None:
    """Our parser takes a command, and the models its fields."""
    words = [STANDS_FOR.get(word, word) for word in words]
    command: Any = restem()
    path = ["restem"]
    while hasattr(command, "commands"):
        assert words and words[0] in command.commands, [*path, *words]
        path.append(words[0])
        command, words = command.commands[words[0]], words[1:]
    assert " ".join(path[1:]) in DONE_BY, f"{path}: which test does this?"
    context = command.make_context(" ".join(path), list(words))
    given = context.params
    changes = [one.replace("MODEL", "m") for one in given.get("changes") or []]
    if path[1] == "run":
        config = str(given["config"])
        if (CONFIGS / f"{config}.toml").exists():
            load_config(config, changes)
        else:
            assert config.endswith(".toml"), words
    if path[1] == "evaluate":
        config = str(given.get("config") or "")
        raw = tomllib.loads((EVALUATIONS / f"{config}.toml").read_text()) if config else {}
        raw |= {"judge": {"model": "oracle"}, "against": "latest:0"} if given.get("judge") else {}
        change(raw, changes)
        parse(EvaluateConfig, raw, "a page")


@pytest.mark.parametrize("verb", DONE_BY)
def test_the_test_of_a_command_is_there(verb: str) -> None:
    file, words = DONE_BY[verb]
    assert words in (ROOT / file).read_text(encoding="utf-8")


@of("toml")
def test_configurations_are_read(block: Block) -> None:
    raw = tomllib.loads(block.text)
    for one in raw.get("filter", {}).get("rewards", []):
        one["reward"] = "correct"  # the page's own functions are its test's
    parse(RestEmConfig, raw, str(block))


@of("yaml")
def test_yaml_is_some(block: Block) -> None:
    assert yaml.safe_load(block.text)


@of("python", "py")
def test_code_is_code(block: Block) -> None:
    compile(block.text, str(block), "exec")
    for module in re.findall(r"^(?:from|import) ([\w.]+)", block.text, re.MULTILINE):
        __import__(module)
