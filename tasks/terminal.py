r"""What is printed to a person's terminal: nothing in it can command the terminal.

Problems, answers of models, file names and messages of errors are data of others. An escape
sequence in them could hide lines, rename the window or type into the shell, and a mark that turns
the direction of writing could show another text than there is. So such characters are shown by
their codes (`\x1b`, `\u202e`). Line feeds and tabs stay.

A terminal that cannot show a character gets its code as well, and never an error.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import locale
import os
import re
import sys
from collections.abc import Iterator
from typing import TextIO, cast

# C0 without tab and line feed, DEL, C1; marks of direction; line separators; annotations; halves of
# surrogate pairs, which no encoding has; and the tags, which no terminal shows.
_COMMANDS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """The text with codes in the place of characters that a terminal would obey."""
    return _COMMANDS.sub(_code, text)


def _code(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


class Visible:
    """A text stream whose `write` shows what a terminal would obey; all else is the stream's own.

    Attributes:
        raw: The stream, for what may command the terminal: a bar of progress.
    """

    def __init__(self, raw: TextIO) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write a text; its own length."""
        self.raw.write(visible(text))
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self.raw, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.raw)


def warn(text: str) -> None:
    """A line to standard error, for a person who would not hear of it otherwise."""
    print(visible(f"restem: {' '.join(text.split())}"), file=sys.stderr)


def raw(stream: TextIO) -> TextIO:
    """The stream itself, for one's own escape sequences."""
    return cast(TextIO, getattr(stream, "raw", stream))


@contextlib.contextmanager
def shown() -> Iterator[None]:
    """What is printed in the block is `visible`."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, Visible(raw(stream))) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def use_utf8() -> None:
    """Start this program anew in Python's UTF-8 mode where the locale has another encoding.

    Our own files are UTF-8 in any locale; this is for the libraries, which read theirs in the
    locale's. What is printed is in the locale's encoding all the same.
    """
    own = codecs.lookup(locale.getencoding()).name
    if own != "utf-8" and not sys.flags.utf8_mode:
        environment = os.environ | {"PYTHONUTF8": "1"}
        command = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
        with contextlib.suppress(OSError):
            os.execve(sys.executable, command, environment)
    given = os.environ.get("PYTHONIOENCODING", "").partition(":")[0]
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # closed, or a test's
            cast(io.TextIOWrapper, stream).reconfigure(
                encoding=given or own, errors="backslashreplace"
            )
