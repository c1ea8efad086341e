"""Every read and write of text names its encoding, so that no locale changes what is written.

ruff's own rule (PLW1514) knows a path only where its type is written down; this looks at names.
"""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator

import pytest

from tasks.paths import ROOT

# They run in a container, or on any Python without this package, and read /proc.
_ELSEWHERE = ("sandbox/inside/", "tasks/processes/guard.py")
_OPENS = {"open", "fdopen", "NamedTemporaryFile", "TemporaryFile"}
_BINARY = {"os", "tarfile", "zipfile", "webbrowser"}  # their `open` opens no text


def _sources() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "flows/*.py", "tasks/*.py", "sandbox/*.py", "bench/*.py"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    return [one for one in listed.stdout.decode().split() if not one.startswith(_ELSEWHERE)]


def _unnamed(text: str) -> Iterator[str]:
    """Calls that read or write text in the locale's encoding."""
    for call in ast.walk(ast.parse(text)):
        if isinstance(call, ast.Call) and _is_text(call):
            yield f"{call.lineno}: {ast.unparse(call)[:80]}"


def _is_text(call: ast.Call) -> bool:
    given = {one.arg: one.value for one in call.keywords}
    function = call.func
    name = getattr(function, "attr", getattr(function, "id", ""))
    owner = getattr(getattr(function, "value", None), "id", "")
    if "encoding" in given or None in given:
        return False
    if name in ("read_text", "write_text"):
        return isinstance(function, ast.Attribute) and len(call.args) == (name == "write_text")
    if any(isinstance(given.get(one), ast.Constant) for one in ("text", "universal_newlines")):
        return True
    if name not in _OPENS or owner in _BINARY - {"os" if name == "fdopen" else ""}:
        return False
    is_method = isinstance(function, ast.Attribute) and owner not in ("gzip", "io", "os")
    at = 0 if is_method or name.endswith("File") else 1
    mode = given.get("mode") or (call.args[at] if len(call.args) > at else None)
    text = getattr(mode, "value", None)
    if owner == "gzip" or name.endswith("File"):
        return isinstance(text, str) and "b" not in text and (owner != "gzip" or "t" in text)
    return mode is None or (
        isinstance(text, str) and "b" not in text and set(text) <= set("rwaxt+")
    )


def test_text_is_read_and_written_by_a_named_encoding() -> None:
    found = [
        f"{source}:{one}"
        for source in _sources()
        for one in _unnamed((ROOT / source).read_text("utf-8"))
    ]
    # A function of our own: of the browser.
    assert [one for one in found if "open(outcome['results'])" not in one] == []


@pytest.mark.parametrize(
    "call",
    [
        "path.read_text()",
        "path.write_text(x)",
        "path.open()",
        "(a / b).open('a')",
        "open(path)",
        "open(path, 'w')",
        "os.fdopen(fd, 'w')",
        "gzip.open(path, 'rt')",
        "subprocess.run(x, text=True)",
        "tempfile.NamedTemporaryFile('w')",
    ],
)
def test_what_is_looked_for_is_found(call: str) -> None:
    assert list(_unnamed(call)) != []


@pytest.mark.parametrize(
    "call",
    [
        "path.read_text('utf-8')",
        "path.read_text(encoding='utf-8')",
        "path.open('rb')",
        "os.open(path, os.O_RDONLY)",
        "gzip.open(path)",
        "open(path, 'wb')",
        "subprocess.run(x, text=True, encoding='utf-8')",
        "tempfile.NamedTemporaryFile()",
    ],
)
def test_what_names_it_is_not(call: str) -> None:
    assert list(_unnamed(call)) == []
