"""Write docs/pictures/report-page.png, the first screen of a report that the README shows.

    restem run math-demo && python scripts/report_picture.py "$(restem report latest)"

Look at the picture before you commit it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from playwright.sync_api import sync_playwright

OUT = Path(__file__).resolve().parent.parent / "docs" / "pictures" / "report-page.png"


def main() -> None:
    """Open the report in Chromium and keep what is seen first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("report", type=Path, help="report.html of a run")
    report = parser.parse_args().report.resolve(strict=True)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1200, "height": 780})
        page.goto(report.as_uri())
        page.screenshot(path=str(OUT))
        browser.close()


if __name__ == "__main__":
    main()
