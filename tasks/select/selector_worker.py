"""The process of a selector of the user's own: candidates in, the places of those it wants out."""

from __future__ import annotations

from tasks.processes.function_worker import Function, WrongReturn, serve_function
from tasks.rows import Json
from tasks.select.selectors import Candidate


def call_selector(function: Function, given: Json) -> list[int]:
    """Call a selector with the candidates of a problem.

    Raises:
        WrongReturn: it gave something else than some of them, each once.
    """
    found = [
        Candidate(index, bytes.fromhex(digest), *more)
        for index, digest, *more in given["candidates"]
    ]
    return checked_choice(function(candidates=list(found)), found)


def checked_choice(wanted: object, found: list[Candidate]) -> list[int]:
    """The places of the chosen candidates.

    Raises:
        WrongReturn: one is no candidate, or is there twice.
    """
    if not isinstance(wanted, list | tuple):
        raise WrongReturn(f"it returned {type(wanted).__name__}; expected a list of candidates")
    places = {one: place for place, one in enumerate(found)}
    chosen: list[int] = []
    for one in wanted:
        place = places.get(one) if isinstance(one, Candidate) else None
        if place is None:
            raise WrongReturn(f"it returned {one!r:.80}, which is not one of the candidates")
        if place in chosen:
            raise WrongReturn(f"it returned the candidate with index {one.index} twice")
        chosen.append(place)
    return chosen


def main() -> None:
    """The body of the process."""
    serve_function(call_selector)
