"""The page of a run's samples: a form that says which, and a page of them with their verdicts."""

from __future__ import annotations

from dataclasses import fields
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from flows.api.reading import reader_of
from flows.api.samples import SampleReader, ScoredSample
from flows.report.values import policy_title
from flows.runs.journal import read_live_head, read_steps
from flows.runs.journal_forms import RunHead
from flows.runs.sample_filter import (
    CUT,
    FINISHES,
    GROUPS,
    LOST,
    SOLVED,
    SampleFilter,
    number_of,
)
from flows.station.pages.html import Html, render
from tasks.dag.step_names import DRAW
from tasks.errors import StepError, UserError
from tasks.rows import Status
from tasks.select.results import DUPLICATE, KEPT, OUTSIDE_BAND, OVER_CAP, UNFINISHED

SHOWN = 20
_FIELDS = 20
# What purposes are in words; others are their own.
_PURPOSES = {
    DRAW: "training (draw)",
    "test": "test, greedy",
    "train": "training problems, greedy",
    "validation": "validation, greedy",
    "pass@k": "test, several (pass@k)",
}
_FATES = [
    ("", "any"),
    (KEPT, "trained on"),
    (UNFINISHED, "cut at the limit"),
    (DUPLICATE, "duplicate"),
    (OUTSIDE_BAND, "solved too rarely or too often"),
    (OVER_CAP, "over the cap"),
]
_FINISHES = [
    ("", "any"),
    *((name, "cut at the limit" if name == CUT else name) for name in FINISHES),
]
_FLIPS = [("", "any"), (SOLVED, "newly solved"), (LOST, "newly lost")]


def samples_page(folder: Path, query: str) -> Html:
    """The samples of a run that a link or the form asks for.

    Args:
        folder: Of the run.
        query: Fields of `SampleFilter`, and `page` from 1.
    """
    given, place = dict[str, str](), f"/runs/{folder.name}/samples"
    shown: dict[str, object] = {
        "purposes": [],
        "policies": [("", "all")],
        "fates": [],
        "trouble": "",
    }
    status = HTTPStatus.OK
    try:
        head = read_live_head(folder)
        reader = reader_of(head, read_steps(folder))
        names = _names(head, reader)
        shown |= _choices(reader, names)
        given = _given(query)
        number = max(1, number_of("page", given.pop("page", "1")))
        given["purpose"] = given.get("purpose") or _usual(reader)
        asked = SampleFilter.of(given)
        shown |= _found(reader, names, asked, number, place)
    except (UserError, StepError, OSError) as error:
        status = HTTPStatus.BAD_REQUEST
        if not isinstance(error, UserError):
            status = HTTPStatus.INTERNAL_SERVER_ERROR
        shown["trouble"] = str(error)
    return render(
        "samples.html.j2",
        status,
        title=f"Samples of {folder.name}",
        run=folder.name,
        given={field.name: "" for field in fields(SampleFilter)} | given,
        statuses=_statuses(),
        flips=_FLIPS,
        finishes=_FINISHES,
        **shown,
    )


def _found(
    reader: SampleReader, names: dict[int, str], asked: SampleFilter, number: int, place: str
) -> dict[str, object]:
    """What the template shows of page `number`."""
    first = (number - 1) * SHOWN
    found = reader.page(asked, first, SHOWN)
    last = -(-found.total // SHOWN)

    def link(page: int) -> str:
        return f"{place}?{asked.query}{'&' if asked.query else ''}{urlencode({'page': page})}"

    return {
        "samples": [
            (one, names[one.iteration], f"{place}?{_others(asked, one).query}")
            for one in found.samples
        ],
        "count": _count(first, len(found.samples), found.total),
        "before": link(min(number - 1, last)) if number > 1 and last else "",
        "after": link(number + 1) if number < last else "",
    }


def _count(first: int, shown: int, total: int) -> str:
    if not total:
        return "No such sample."
    samples = f"{total:,} sample{'s' if total > 1 else ''}"
    return f"{first + 1:,} to {first + shown:,} of {samples}" if shown else f"{samples}, none here"


def _given(query: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(query, max_num_fields=_FIELDS))
    except ValueError:
        raise UserError(f"expected at most {_FIELDS} fields behind the ?") from None


def _usual(reader: SampleReader) -> str:
    """What is shown where nothing is asked for."""
    return DRAW if DRAW in reader.drawn else next(iter(reader.drawn), DRAW)


def _others(asked: SampleFilter, one: ScoredSample) -> SampleFilter:
    """All samples of a sample's problem, of all policies."""
    return SampleFilter(asked.purpose, problem=one.problem.id)


def _names(head: RunHead, reader: SampleReader) -> dict[int, str]:
    """Of the policies that were sampled; an evaluation's have names of their own."""
    own = dict[int, str]()
    if head.flow == "evaluate":
        own = dict(enumerate(filter(None, (head.config["against"], head.config["model"]))))
    numbers = sorted({number for numbers in reader.drawn.values() for number in numbers})
    return {number: own.get(number, policy_title(number).capitalize()) for number in numbers}


def _choices(reader: SampleReader, names: dict[int, str]) -> dict[str, object]:
    return {
        "purposes": [(name, _PURPOSES.get(name, name)) for name in reader.drawn],
        "policies": [("", "all"), *((str(number), name) for number, name in names.items())],
        "fates": _FATES if DRAW in reader.drawn else [],
    }


def _statuses() -> list[tuple[str, str]]:
    known = [*GROUPS, *(one.value for one in Status)]
    return [("", "any"), *((name, name.replace("_", " ")) for name in known)]
