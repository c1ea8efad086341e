"""What is printed: no character of data commands the terminal, and none is an error."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from tasks.paths import ROOT
from tasks.terminal import Visible, raw, shown, visible


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("one\rtwo", "one\\x0dtwo"),
        ("a\x08b\x7f", "a\\x08b\\x7f"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eabc\u2066", "\\u202eabc\\u2066"),
        ("a\u2028b", "a\\u2028b"),
        ("\udcff", "\\udcff"),
        ("\U000e0041", "\\U000e0041"),
        (
            "plain\ttext\nwith ümlauts, 数 and \u200d👍",
            "plain\ttext\nwith ümlauts, 数 and \u200d👍",
        ),
    ],
)
def test_what_a_terminal_obeys_is_shown(text: str, expected: str) -> None:
    assert visible(text) == expected


def test_no_character_that_unicode_calls_a_control_is_left() -> None:
    import unicodedata

    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    left = {c for c in visible(everything) if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")}
    assert left == {"\t", "\n"}


def test_only_what_goes_through_the_stream_is_shown() -> None:
    below = io.StringIO()
    stream = Visible(below)
    print("\x1b[2J", file=stream)  # type: ignore[arg-type]
    raw(stream).write("\x1b[1m")  # type: ignore[arg-type]
    assert below.getvalue() == "\\x1b[2J\n\x1b[1m"


def test_streams_are_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    before = sys.stdout
    with shown(), shown():
        print("\x1b")
    assert sys.stdout is before
    print("\x1b", end="")
    assert capsys.readouterr().out == "\\x1b\n\x1b"


LATIN = {
    "LC_ALL": "C",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONIOENCODING": "latin-1",
}


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", None])
def test_a_terminal_that_cannot_show_a_character_gets_its_code(encoding: str | None) -> None:
    program = (
        "import sys; from tasks.terminal import use_utf8, shown; use_utf8()\n"
        "with shown(): print('\\u00fc \\u2026 ' + sys.argv[1], sys.flags.utf8_mode)"
    )
    env = {**os.environ, **LATIN, "PYTHONPATH": str(ROOT)}
    env.pop("PYTHONIOENCODING")
    if encoding:
        env["PYTHONIOENCODING"] = encoding
    done = subprocess.run(
        [sys.executable, "-c", program, "[x] 'y'"], env=env, capture_output=True, check=True
    )
    ue = {"latin-1": b"\xfc"}.get(encoding or "", b"\\xfc")
    assert done.stdout == ue + b" \\u2026 [x] 'y' 1\n"
