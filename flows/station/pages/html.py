"""The pages that the station makes: one look, and every text escaped.

A page may use its own style and script, which are named by their hashes, and ask its own server. So
a text of a model that slipped through an escape could neither run nor load nor send anything.
"""

from __future__ import annotations

import base64
import hashlib
import time
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from flows.report.page import ASSETS as REPORT_ASSETS
from flows.report.values import clean, whole

_ASSETS = Path(__file__).resolve().parent / "assets"


@dataclass(frozen=True)
class Html:
    """A page, and what its browser may let it do."""

    body: bytes
    policy: str
    status: HTTPStatus = HTTPStatus.OK


def render(template: str, status: HTTPStatus = HTTPStatus.OK, **shown: object) -> Html:
    """A page from a template of assets/.

    Args:
        shown: What the template shows; texts among it are escaped.
    """
    style, script = _style(), _script()
    text = (
        _environment()
        .get_template(template)
        .render(style=Markup(style), script=Markup(script), **shown)
    )
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    )
    return Html(text.encode(errors="backslashreplace"), policy, status)


def when(seconds: object) -> str:
    """Unix time as this machine's clock shows it."""
    given = seconds if isinstance(seconds, int | float) else 0
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(given))
    except (OverflowError, ValueError, OSError):  # of a damaged file
        return "?"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"clean": clean, "whole": whole, "when": when}
    return made


@cache
def _style() -> str:
    """A report's, and what these pages have besides."""
    parts = (REPORT_ASSETS / "style.css", _ASSETS / "pages.css")
    return "".join(part.read_text(encoding="utf-8") for part in parts)


@cache
def _script() -> str:
    parts = (REPORT_ASSETS / "tips.js", _ASSETS / "live.js")
    return "\n" + "".join(part.read_text(encoding="utf-8") for part in parts)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
