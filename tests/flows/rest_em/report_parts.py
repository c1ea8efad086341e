"""Reports made by hand, and a reader of their pages."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from flows.rest_em.page.page import render
from flows.rest_em.results import RunReport
from tasks.metering import COST_NAMES

HOSTILE = (
    '</pre></script><script>document.title="owned"</script>'
    "<img src=x onerror=\"document.title='owned'\">&lt;b&gt; {{ 7*7 }} \"'`\x00\x1b[31m\u202e\ud800"
)


VOID = {"meta", "link", "img", "br", "input"}


def estimate(value: float, width: float = 0.04, problems: int = 600) -> dict[str, Any]:
    return {"value": value, "low": value - width, "high": value + width, "problems": problems}


def texts(number: int) -> dict[str, str]:
    return {
        "id": f"set/test/{number}",
        "question": HOSTILE,
        "reference": HOSTILE,
        "before": HOSTILE,
        "after": HOSTILE * 500,
    }


def policy(number: int, greedy: float) -> dict[str, Any]:
    metrics = {"greedy": estimate(greedy), "train": estimate(greedy + 0.1)}
    metrics |= {"gap": estimate(0.1), "maj@8": estimate(greedy + 0.02)}
    metrics |= {f"pass@{k}": estimate(greedy + 0.05 * k) for k in (1, 2, 4)}
    selection = {
        "samples": 1000,
        "correct": 400,
        "dropped_reward": 600,
        "dropped_unfinished": 20,
        "dropped_duplicate": 80,
        "dropped_cap": 50,
        "dropped_contaminated": 3,
        "kept": 247,
        "problems": 125,
        "problems_solved": 90,
        "problems_contaminated": 1,
        "levels": {"1": {"samples": 500, "correct": 300}, HOSTILE: {"samples": 5, "correct": 1}},
    }
    history = [{"step": s, "loss": 1 / s} for s in range(1, 900)] + [{"step": 800, "reward": 0.4}]
    counts = dict.fromkeys(("rows", "dropped_long", "sequences", "tokens", "targets"), 247)
    base = {
        "iteration": number,
        "model": HOSTILE,
        "metrics": metrics,
        "mean_tokens": 31.5,
        "levels": {"1": estimate(greedy), "10": estimate(greedy), "2": estimate(greedy)},
        "selection": selection,
        "truncated": 0.01,
        "statuses": {"checker_error": 2},
        "transfer": {
            HOSTILE: {
                "greedy": estimate(0.4),
                "difference": estimate(-0.2),
                "regression": bool(number),
            }
        },
    }
    bins = [
        {
            "bin": HOSTILE,
            "problems": 12,
            "before": 0.25,
            "after": 0.5,
            "difference": estimate(0.25),
        }
    ]
    later = {
        "finetune": {"steps": 899, "best_step": 800, "best_reward": 0.4, "history": history}
        | counts,
        "gain": None,
        "p": 0.0004,
        "bins": bins,
        "solved": [texts(1), texts(2)],
        "lost": [texts(3)],
        "solved_total": 2,
        "lost_total": 1,
    }
    return base | (later if number else {})


def full() -> dict[str, Any]:
    amounts = dict.fromkeys(COST_NAMES, 3.5)
    return {
        "run": HOSTILE,
        "name": HOSTILE,
        "base": HOSTILE,
        "config": {
            "evaluation": {"confidence": 0.9},
            "filter": {"score": "correct"},
            "data": {"source": HOSTILE},
        },
        "iterations": [policy(i, v) for i, v in enumerate((0.31, 0.42, 0.525, 0.50))],
        "cost": {
            "steps": [
                {"iteration": i, "step": s, "tasks": 2, "cached": 1}
                | {"made": amounts, "spent": amounts}
                for i in range(4)
                for s in ("generate draw", HOSTILE, "finetune")
            ],
            "total": {"made": amounts, "spent": amounts},
            "accepted": [],
            "points": None,
        },
        "warnings": [HOSTILE],
    }


def page_of(report: dict[str, Any]) -> str:
    return render(RunReport.from_json(report))


class Page(HTMLParser):
    """Checks nesting and collects what a browser would load, run or show."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.seen)


def check(text: str) -> Page:
    page = Page(text)
    assert page.open == []
    assert page.count("script") == 1 and page.count("img") == 0
    for tag, attributes in page.seen:
        for key, value in attributes.items():
            assert not key.startswith("on"), f"<{tag} {key}>"
            if key in ("src", "href", "data", "action", "poster", "srcset"):
                assert (value or "").startswith("data:"), f"<{tag} {key}={value}>"
    assert not re.search(r"https?://", text)
    text.encode("utf-8")
    return page


def without(report: dict[str, Any], *keys: str) -> dict[str, Any]:
    for now in report["iterations"]:
        for key in keys:
            now.pop(key, None)
    return report


def browse(chromium: str, path: Path, profile: Path) -> tuple[str, list[str]]:
    """The page's text after its scripts ran, and what the browser's console said."""
    done = subprocess.run(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--virtual-time-budget=2000",
            f"--user-data-dir={profile}",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
