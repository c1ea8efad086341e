"""Renew docs/pictures: the report's first screen, and Prefect's UI as the browser tests see it.

    restem run math-demo && python scripts/pictures.py
    python scripts/pictures.py --run RUN --real

The first takes the latest run of RESTEM_HOME, and starts a station of its own for the UI (some
minutes). A picture of it is renewed where a document shows it. The second is for a run of
svamp-code-gemma270m, a real model. Look at them before you commit them.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
REPORT = "report-page"
# The report and the samples of a real model.
REAL = ("gemma", "samples")
# Where a run lies on this machine is nobody's business.
HIDE_HOME = """home => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode())
    walker.currentNode.data = walker.currentNode.data.replaceAll(home, "~/.restem");
}"""


def shown_pictures() -> set[str]:
    """Names of the PNGs that documents show, without their ends."""
    documents = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    texts = (path.read_text(encoding="utf-8") for path in documents)
    return {name for text in texts for name in re.findall(r"pictures/([\w-]+)\.png\)", text)}


def shoot(address: str, home: Path, name: str, cookie: dict[str, str] | None = None) -> None:
    """Keep what is seen first of a page, light, on a desk."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-headless-shell", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        window = browser.new_context(viewport={"width": 1200, "height": 780}, color_scheme="light")
        if cookie:
            window.add_cookies([cookie])  # type: ignore[list-item]
        shown = window.new_page()
        shown.goto(address)
        shown.wait_for_load_state("networkidle")
        shown.evaluate(HIDE_HOME, str(home))
        shown.screenshot(path=str(PICTURES / f"{name}.png"))
        browser.close()


def samples(run: str, home: Path) -> None:
    """The page of a run's samples, as the station shows it."""
    from flows.server.access import COOKIE, derived
    from flows.station.web import pages_server

    secret = "restem:of-the-picture"
    server = pages_server("127.0.0.1", 0, secret)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    cookie = {"name": COOKIE, "value": derived(secret, "pages"), "url": base}
    shoot(f"{base}/runs/{run}/samples", home, REAL[1], cookie)
    server.shutdown()
    server.server_close()


def main() -> None:
    """Renew all, or the report alone."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--run", default="latest", help="a finished run; default: the latest")
    parser.add_argument("--only-report", action="store_true", help="leave out Prefect's UI")
    parser.add_argument("--real", action="store_true", help="of a real model: report and samples")
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from flows.runs.journal import find_run
    from tasks.dag.runtime import home
    from tasks.errors import UserError

    try:
        folder = find_run(given.run, "rest-em")
        page = (folder / "report.html").resolve(strict=True).as_uri()
    except (UserError, FileNotFoundError) as error:
        sys.exit(f"--run {given.run}: {error}")
    shoot(page, home(), REAL[0] if given.real else REPORT)
    if given.real:
        samples(folder.name, home())
    elif not given.only_report:
        tests = [sys.executable, "-m", "pytest", "-q", "tests/browser/test_run.py"]
        tests.append("tests/browser/test_person.py")
        environment = {**os.environ, "RESTEM_PICTURES": "1"}
        sys.exit(subprocess.run(tests, cwd=ROOT, env=environment).returncode)


if __name__ == "__main__":
    main()
