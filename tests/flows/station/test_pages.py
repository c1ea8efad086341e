"""The station's pages of runs: how far one is, its samples, and texts that mean harm."""

from __future__ import annotations

import html
import http.client
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from flows.config.evaluate import load_evaluation
from flows.server.access import authorization
from flows.station.web import pages_server
from tasks.finetune.log_lines import log_line
from tasks.finetune.results import HistoryEntry
from tasks.rows import Status
from tasks.select.results import SelectionCounts
from tests.flows.api.samples_parts import RUN, Made, Selected, Shard, make_run
from tests.flows.rest_em.report_parts import HOSTILE, Page
from tests.flows.station.test_web import SECRET, ask

# What Parquet and XML can both hold.
EVIL = HOSTILE.replace("\ud800", "")
RIGHT, WRONG = Status.CORRECT, Status.WRONG_ANSWER
SAMPLES = f"/runs/{RUN}/samples"


@pytest.fixture
def port(home: Path) -> Iterator[int]:
    problems = {EVIL: EVIL, **{f"p{n}": f"question {n}" for n in range(45)}}
    drawn = [Made(EVIL, 0, EVIL, WRONG)]
    drawn += [Made(f"p{n}", 0, f"text {n}.", (RIGHT, WRONG)[n % 2]) for n in range(45)]
    greedy = [Made("p0", 0, "was wrong", WRONG), Made("p1", 0, "was right", RIGHT)]
    better = [Made("p0", 0, "is right", RIGHT), Made("p1", 0, "is wrong", WRONG)]
    shards = [Shard("draw", 0, drawn), Shard("test", 0, greedy), Shard("test", 1, better)]
    make_run(problems, shards)
    server = pages_server("127.0.0.1", 0, SECRET)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def page_of(port: int, path: str, status: int = 200) -> Page:
    """A page that is well made: one script, no handler, and links within the station."""
    found, text = ask(port, path)
    assert found == status, text
    page = Page(text)
    assert page.open == [] and page.count("script") == 1 and page.count("img") == 0
    for tag, attributes in page.seen:
        for key, value in attributes.items():
            assert not key.startswith("on"), f"<{tag} {key}>"
            if key in ("src", "href", "action"):
                assert (value or "").startswith(("/runs", "/notices", "data:")), value
    return page


def texts(port: int, query: str) -> list[str]:
    """The samples of a page."""
    _, text = ask(port, f"{SAMPLES}?{query}")
    found = re.findall(r'<h3>Sample</h3><pre dir="auto">(.*?)</pre>', text, re.DOTALL)
    return [html.unescape(one) for one in found]


def test_texts_that_mean_harm_are_shown(port: int) -> None:
    page = page_of(port, f"{SAMPLES}?problem={quote('onerror')}&text={quote(EVIL)}")
    for asked in (EVIL, "</select></form><script>"):
        again = page_of(port, f"{SAMPLES}?status={quote(asked)}&text={quote(asked)}", 400)
        assert asked[:9] in " ".join(str(a.get("value")) for _, a in again.seen)
    assert '<script>document.title="owned"</script>' in page.text
    assert "\x1b" not in page.text and "\u202e" not in page.text and "␛[31m" in page.text


def test_what_a_page_may_do_is_said_to_the_browser(port: int) -> None:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    link.request("GET", SAMPLES, headers=authorization(SECRET))
    reply = link.getresponse()
    policy, text = reply.headers["Content-Security-Policy"], reply.read().decode()
    link.close()
    assert "unsafe" not in policy and "default-src 'none'" in policy and "'sha256-" in policy
    assert "form-action 'self'" in policy and "frame-ancestors 'none'" in policy
    assert " style=" not in text.replace("</style>", "")


def test_samples_come_a_page_at_a_time(port: int) -> None:
    found, path = list[str](), f"{SAMPLES}?status=wrong_answer"
    for _ in range(9):
        page = page_of(port, path)
        found += texts(port, path.partition("?")[2])
        links = [a for tag, a in page.seen if tag == "a" and a.get("rel") == "next"]
        if not links:
            break
        path = str(links[0]["href"])
    assert found[1:] == [f"text {n}." for n in range(1, 45, 2)]
    assert "21 to 23 of 23 samples" in page.text
    (back,) = [a for tag, a in page.seen if tag == "a" and a.get("rel") == "prev"]
    assert texts(port, str(back["href"]).partition("?")[2]) == found[:20]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("purpose=test&iteration=1&flipped=solved", ["is right"]),
        ("purpose=test&iteration=1&flipped=lost", ["is wrong"]),
        ("purpose=test&problem=p0", ["was wrong", "is right"]),
        ("purpose=draw&problem=question+44&status=&text=", ["text 44."]),
        ("purpose=draw&text=text+7", ["text 7."]),
    ],
)
def test_a_filter_of_the_form(port: int, query: str, expected: list[str]) -> None:
    assert texts(port, query) == expected


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("page=0x1", "page: 0x1: expected a whole number"),
        ("purpose=dream", "purpose: dream: expected one of draw, test"),
        ("iteration=7", "iteration: 7: nothing was sampled for draw there"),
        ("a=1&b=2", "a: no such field"),
        ("&".join(f"text={n}" for n in range(99)), "expected at most 20 fields"),
    ],
)
def test_a_mistake_is_said_on_the_page(port: int, query: str, said: str) -> None:
    assert said in page_of(port, f"{SAMPLES}?{query}", 400).text


def test_samples_are_chosen_by_what_the_selection_made_of_them(port: int) -> None:
    drawn = [Made("p", index, text, RIGHT) for index, text in enumerate(("one", "one", "two"))]
    counts = SelectionCounts(3, 3, dropped_duplicate=1, dropped_cap=1, kept=1)
    run = [Shard("draw", 0, drawn), Shard("draw", 1, drawn)]
    make_run({"p": "q"}, run, "selected-1", [Selected(0, [(0, 2)], counts)])
    path = "/runs/selected-1/samples"
    for fate, shown in (("kept", "sample 2"), ("duplicate", "sample 1"), ("over_cap", "sample 0")):
        page = page_of(port, f"{path}?fate={fate}")
        assert f"Base policy, {shown} of p" in page.text and "1 to 1 of 1 sample" in page.text
    assert "no rows were selected" in page_of(port, f"{path}?fate=kept&iteration=1", 400).text


def test_samples_are_chosen_by_how_they_ended(port: int) -> None:
    drawn = [Made("p", 0, "whole", RIGHT), Made("p", 1, "half", RIGHT, "length")]
    make_run({"p": "q"}, [Shard("draw", 0, drawn)], "ended-1")
    for finish, shown in (("stop", "sample 0"), ("length", "sample 1")):
        page = page_of(port, f"/runs/ended-1/samples?finish={finish}")
        assert f"Base policy, {shown} of p" in page.text and "1 to 1 of 1 sample" in page.text


def test_an_evaluation_shows_its_samples_by_the_names_of_its_policies(port: int) -> None:
    greedy = [
        Shard("gsm8k greedy", number, [Made("p", 0, f"said {number}", verdict)])
        for number, verdict in enumerate((WRONG, RIGHT))
    ]
    config = load_evaluation("", {"model": "demo-1:2", "against": EVIL.replace("\x00", "")})
    make_run({"p": "q"}, greedy, "evaluate-1", config=config)
    links = [a.get("href") for _, a in page_of(port, "/runs/evaluate-1").seen]
    assert "/runs/evaluate-1/samples" in links
    page = page_of(port, "/runs/evaluate-1/samples?purpose=gsm8k+greedy&flipped=solved")
    assert "demo-1:2, sample 0 of p" in page.text and "said 1" in page.text
    assert "1 to 1 of 1 sample" in page.text and "said 0" not in page.text
    assert "In the selection" not in page.text
    page = page_of(port, "/runs/evaluate-1/samples")
    assert 'document.title="owned"' in page.text and "1 to 2 of 2 samples" in page.text


def test_a_run_shows_its_fine_tune_as_it_comes(port: int, home: Path) -> None:
    log = home / "runs" / RUN / "logs" / "finetune.log"
    assert "training loss" not in page_of(port, f"/runs/{RUN}").text
    losses = [HistoryEntry(step, loss=1 / step) for step in (1, 2, 3)]
    lines = [log_line("finetune 1", 9, one) for one in (*losses, HistoryEntry(3, reward=0.25))]
    log.write_text("a library warns\n" + "\n".join(lines) + "\nfinetune 1: step 4 of")
    page = page_of(port, f"/runs/{RUN}")
    tips = [a["data-tip"] for _, a in page.seen if "data-tip" in a]
    losses_said = [f"finetune 1, step {n}: {1 / n:.3f}" for n in (1, 2, 3)]
    assert tips == [*losses_said, "finetune 1, step 3: 25.0%"]
    assert f"{SAMPLES}" in [a.get("href") for _, a in page.seen]


def test_a_run_that_cannot_be_read_whole_is_shown_as_far_as_it_can(port: int, home: Path) -> None:
    folder = home / "runs" / RUN
    (folder / "steps.jsonl").write_text("{\n")
    assert "steps.jsonl:1: not JSON" in page_of(port, f"/runs/{RUN}").text
    page_of(port, SAMPLES, 500)
    head = json.loads((folder / "run.json").read_text())
    (folder / "run.json").write_text(json.dumps(head | {"flow": "study"}))
    (folder / "steps.jsonl").write_text("")
    assert "study" in page_of(port, f"/runs/{RUN}").text
    assert "its flow is study" in page_of(port, SAMPLES, 400).text
    (folder / "run.json").write_text("[]")
    assert "run.json: []; expected" in page_of(port, f"/runs/{RUN}", 500).text
    (folder / "run.json").unlink()
    assert "No runs yet." in page_of(port, "/runs").text
