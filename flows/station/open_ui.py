"""Opens Prefect's UI, or another page of ours, for the person here, who need not type the secret.

A browser is given a file rather than the link: other users may read the words of its command. The
file is this user's alone (a browser in a sandbox of its own may not read it, hence the link).
"""

from __future__ import annotations

import os
import webbrowser
from html import escape

from flows.server.access import link
from flows.server.address import folder
from tasks.settings.secret import write_secret

_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")
_PAGE = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0;url={}">'


def open_ui(address: str) -> bool:
    """Open the UI of an API in a browser; False where there is no display, or no browser."""
    return open_link("open.html", link(address))


def open_link(name: str, address: str) -> bool:
    """Open a link that nobody else may read; returns as `open_ui`.

    Args:
        name: Of the file in which the browser finds it.
        address: The link.
    """
    if not any(os.environ.get(name) for name in _DISPLAYS):
        return False
    page = folder() / name
    write_secret(page, _PAGE.format(escape(address)))
    try:
        return webbrowser.open(page.as_uri())
    except webbrowser.Error:
        return False
