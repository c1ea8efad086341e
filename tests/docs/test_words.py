"""Words of our own are explained where a page first uses them, and each of them in the glossary."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasks.paths import ROOT

DOCS = ROOT / "docs"
GLOSSARY = (DOCS / "glossary.md").read_text(encoding="utf-8")
# Words that a newcomer cannot guess.
OURS = ("station", "shard", "p0", "gap")
# These explain the words themselves, or are lists for people who work on the code.
EXPLAIN = {"concepts.md", "glossary.md", "use.md", "architecture-data.md", "licences.md"}
PAGES = [path for path in sorted(DOCS.rglob("*.md")) if path.name not in EXPLAIN]
# What is no running text: code, headings.
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`|^#.*$", re.MULTILINE | re.DOTALL)
# Hard to read, or easy to read wrong; each has a plain word.
HARD = ("told apart", "had to be drawn", "called straight", "make alike", "told otherwise")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_the_first_use_of_a_word_explains_it(path: Path) -> None:
    text = CODE.sub("", path.read_text(encoding="utf-8"))
    for word in OURS:
        used = rf"(?:train[–-]test )?{word}s?"
        if re.search(rf"\*\*{used}\*\*", text):
            continue  # this page says what it is
        first = re.search(rf"(?<![\w/.(\[-]){used}(?![\w/(-])", re.sub(r"\]\([^)]*\)", "]", text))
        linked = re.search(rf"\[{used}\]\((?:\.\./)?glossary\.md\)", text)
        if first:
            assert linked, f"{word}: link its first use to the glossary"


@pytest.mark.parametrize("word", OURS)
def test_the_glossary_has_it(word: str) -> None:
    assert re.search(rf"^\| [^|]*\b{word}\b[^|]* \| ", GLOSSARY, re.MULTILINE)


def test_the_glossary_is_in_order() -> None:
    words = re.findall(r"^\| ([^|]+) \|", GLOSSARY, re.MULTILINE)[2:]
    plain = [re.sub(r"[^a-z0-9]+", " ", word.lower()) for word in words]
    assert plain == sorted(plain)


@pytest.mark.parametrize("phrase", HARD)
def test_hard_phrases_do_not_come_back(phrase: str) -> None:
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    assert [page.name for page in pages if phrase in page.read_text(encoding="utf-8")] == []
