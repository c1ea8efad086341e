"""The page's server: what it keeps, whom it answers, and that it goes on where the file ends."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.audit.label.server import label_server
from tasks.errors import UserError
from tests.flows.audit.label.label_parts import TOKEN, Client, serving, session


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "labels.jsonl"


@pytest.fixture
def client(file: Path) -> Iterator[Client]:
    with serving(file) as found:
        yield found


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_a_label_is_in_the_file_when_it_is_answered(client: Client, file: Path) -> None:
    _, state = client("/state")
    assert not file.exists()
    shown = state["shown"]
    status, after = client("/label", {"pair": shown["id"], "says": "left"})
    assert status == 200 and after["labelled"] == 1 and after["shown"]["id"] != shown["id"]
    (kept,) = lines(file)
    assert kept["p"] == (1.0 if shown["left"].startswith("first") else 0.0)
    assert (kept["who"], kept["first"], kept["second"]) == ("ann", 0, 1)
    assert len(kept["texts"]) == 2


@pytest.mark.parametrize(("says", "p"), [("tie", 0.5), ("skip", None)])
def test_a_tie_and_a_skip_are_kept(client: Client, file: Path, says: str, p: float | None) -> None:
    client("/label", {"pair": "id2", "says": says})
    assert [(one["problem"], one["p"]) for one in lines(file)] == [("p2", p)]


def test_both_sides_mean_the_text_that_stands_there(client: Client, file: Path) -> None:
    """Whatever order a pair is shown in."""
    sides = set[bool]()
    for n in range(5):
        shown = client("/state")[1]["shown"]
        sides.add(shown["left"].startswith("first"))
        client("/label", {"pair": shown["id"], "says": "right"})
        better = 1 if lines(file)[n]["p"] == 0.0 else 0
        assert shown["right"] == f"{('first', 'second')[better]} {shown['id'][2:]}"
    assert sides == {True, False}
    assert "shown" not in client("/state")[1]


def test_undo_takes_the_last_one_back(client: Client, file: Path) -> None:
    for pair in ("id0", "id1"):
        client("/label", {"pair": pair, "says": "left"})
    state = client("/undo", {"pair": client("/state")[1]["last"]})[1]
    assert [one["problem"] for one in lines(file)] == ["p0"]
    assert (state["shown"]["id"], state["last"]) == ("id1", "id0")


def test_the_same_label_twice_is_one(client: Client, file: Path) -> None:
    """A page whose answer was lost asks again."""
    for says in ("left", "left", "right", "right"):
        client("/label", {"pair": "id0", "says": says})
        client("/undo", {"pair": "id3"})
    assert len(lines(file)) == 1


def test_another_server_goes_on_where_the_file_ends(file: Path) -> None:
    with serving(file) as first:
        for pair in ("id0", "id1"):
            first("/label", {"pair": pair, "says": "tie"})
    with serving(file) as second:
        state = second("/state")[1]
    assert (state["labelled"], state["shown"]["id"], state["last"]) == (2, "id2", "id1")


def test_people_have_lines_of_their_own(client: Client, file: Path) -> None:
    with serving(file, "bob") as bob:
        client("/label", {"pair": "id0", "says": "tie"})
        bob("/label", {"pair": "id0", "says": "tie"})
        assert bob("/state")[1]["shown"]["id"] == "id1"
        bob("/undo", {"pair": "id0"})
    assert [one["who"] for one in lines(file)] == ["ann"]


def test_people_at_once_lose_no_label(file: Path) -> None:
    with serving(file, "ann") as ann, serving(file, "bob") as bob:

        def label(client: Client) -> None:
            for n in range(5):
                client("/label", {"pair": f"id{n}", "says": "left"})

        threads = [threading.Thread(target=label, args=[one]) for one in (ann, bob)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted((one["who"], one["problem"]) for one in lines(file)) == [
        (who, f"p{n}") for who in ("ann", "bob") for n in range(5)
    ]


def test_a_line_that_is_none_is_said_and_nothing_is_written(client: Client, file: Path) -> None:
    file.write_text("{\n")
    status, said = client("/label", {"pair": "id0", "says": "left"})
    assert (status, file.read_text()) == (409, "{\n")
    assert said.startswith(f"{file} line 1: expected a JSON object")
    assert client("/state")[0] == 409


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    place = tmp_path / "gone" / "labels.jsonl"
    with serving(place) as client:
        (tmp_path / "gone").write_text("a file in its place")
        status, said = client("/label", {"pair": "id0", "says": "left"})
    assert status in (409, 507) and "\n" not in said.strip()


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"pair": "id0"}, 400),
        ({"pair": "id0", "says": "maybe"}, 400),
        ({"pair": "id0", "says": ["left"]}, 400),
        ({"says": "left"}, 400),
        ({"pair": 1, "says": "left"}, 400),
        ([], 400),
        (b"{", 400),
        (b"[" * 4000, 400),
        (b"\xff", 400),
        (b" " * 5000, 413),
        ({"pair": "id9", "says": "left"}, 404),
    ],
    ids=str,
)
def test_what_is_no_label_is_refused(client: Client, file: Path, body: Any, status: int) -> None:
    assert client("/label", body)[0] == status
    assert not file.exists()


GOOD = {"pair": "id0", "says": "left"}
DOORS: dict[str, tuple[dict[str, str], int]] = {
    "no token": ({"Authorization": ""}, 401),
    "another token": ({"Authorization": "Bearer x"}, 401),
    "another scheme": ({"Authorization": f"Basic {TOKEN}"}, 401),
    "another page": ({"Origin": "https://evil.example"}, 403),
    "another port": ({"Origin": "http://127.0.0.1:1"}, 403),
    "a page without an origin": ({"Origin": "null"}, 403),
    "a name that leads here": ({"Host": "evil.example"}, 403),
    "a form": ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    "plain text": ({"Content_Type": "text/plain"}, 415),
}


@pytest.mark.parametrize("case", DOORS)
def test_whoever_may_not_label_does_not(client: Client, file: Path, case: str) -> None:
    headers, status = DOORS[case]
    assert client("/label", GOOD, **headers)[0] == status
    assert not file.exists()


@pytest.mark.parametrize("case", [name for name, (_, status) in DOORS.items() if status != 415])
def test_whoever_may_not_read_does_not(client: Client, case: str) -> None:
    headers, status = DOORS[case]
    found, said = client("/state", **headers)
    assert found == status
    assert "question" not in said


def test_its_own_page_may_ask(client: Client) -> None:
    origin = f"http://127.0.0.1:{client.port}"
    assert client("/label", GOOD, Origin=origin)[0] == 200


def test_the_page_has_nothing_of_the_run_and_no_token(client: Client) -> None:
    status, page = client("/", Authorization="")
    assert status == 200 and page.startswith("<!doctype html>")
    assert not any(one in page for one in ("demo-1", "question 0", TOKEN))


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_do_nothing(client: Client, file: Path, method: str) -> None:
    assert client("/label", GOOD, method=method)[0] == 501
    assert not file.exists()


def test_a_port_that_is_taken_is_named(client: Client, file: Path) -> None:
    with pytest.raises(UserError, match=f"--port {client.port}: Address already in use; expected"):
        label_server(client.port, TOKEN, session(file))
