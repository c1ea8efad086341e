"""Benchmarks that a person grades (the Hungarian exam): samples out, points in.

The export has a line for each sample: id, policy, question, text, of (the most points, where the
data set says), and `points`, empty. A person fills `points` and hands the file to the same
evaluation; everything else of it comes from the cache. Policies are mixed by a hash and named by
their digest alone, so that who grades does not see which is which.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.errors import UserError
from tasks.evaluate.intervals import interval
from tasks.rows import Json

if TYPE_CHECKING:
    from flows.evaluate.results import Result

# Intervals are a property of the grades, so they do not move from run to run.
_SEED = 0


def exported(found: list[Result], grades: list[Json]) -> str:
    """JSON lines of the samples to grade; points that were given already are in them."""
    given = {(grade["id"], grade["policy"]): grade["points"] for grade in grades}
    lines = []
    for one in found:
        asked = {row["id"]: row for row in one.problems}
        for sample in one.greedy:
            key = (sample["problem_id"], sample["model"])
            lines.append(
                {
                    "id": key[0],
                    "policy": key[1],
                    "question": asked[key[0]]["question"],
                    "text": sample["text"],
                    "of": _most(asked[key[0]]),
                    "points": given.get(key),
                }
            )
    lines.sort(key=lambda line: (line["id"], _mixed(line)))
    return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)


def read_grades(path: str) -> list[Json]:
    """The lines of a filled file that have points: {id, policy, points}.

    Raises:
        UserError: naming the file, the line and the field.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"grades: {file}: no such file; expected the export with points filled in")
    grades: dict[tuple[str, str], Json] = {}
    for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except ValueError:
            raise UserError(f"{file} line {number}: expected a JSON object") from None
        if not isinstance(line, dict) or not all(
            isinstance(line.get(name), str) for name in ("id", "policy")
        ):
            raise UserError(f"{file} line {number}: expected id and policy as they were exported")
        if (points := line.get("points")) is None:
            continue
        most = line.get("of")
        if isinstance(points, bool) or not isinstance(points, int | float) or points < 0:
            raise UserError(f"{file} line {number}: points: expected a number from 0 on")
        if isinstance(most, int | float) and points > most:
            raise UserError(f"{file} line {number}: points: expected at most {most:g}")
        key = (line["id"], line["policy"])
        if key in grades:
            raise UserError(f"{file} line {number}: {line['id']} of that policy was graded above")
        grades[key] = {"id": key[0], "policy": key[1], "points": float(points)}
    return [grades[key] for key in sorted(grades)]


def scored_by_hand(found: list[Result], grades: list[Json], measure: Json) -> Json:
    """The share of points that each policy got, with its interval over questions.

    Questions weigh as many points as they give. A policy without any grade has no number.

    Raises:
        UserError: a grade is of no exported sample, or above what its question gives.
    """
    given = {(grade["id"], grade["policy"]): grade["points"] for grade in grades}
    points: dict[str, Any] = {}
    graded = 0
    for one in found:
        asked = {row["id"]: row for row in one.problems}
        scores = []
        for sample in one.greedy:
            got = given.pop((sample["problem_id"], sample["model"]), None)
            if got is None:
                continue
            most = _most(asked[sample["problem_id"]]) or 1.0
            if got > most:
                raise UserError(
                    f"grades: {sample['problem_id']}: points: expected at most {most:g}"
                )
            scores.append((got, most))
        graded += len(scores)
        if scores:
            mean = sum(most for _, most in scores) / len(scores)
            shares = [got / mean for got, _ in scores]
            found_interval = interval(
                shares,
                measure["bootstrap"],
                measure["confidence"],
                _SEED,
                ceiling=max(most for _, most in scores) / mean,
            )
            points[str(one.number)] = found_interval.to_json()
        else:
            points[str(one.number)] = None
    if given:
        stranger = sorted(given)[0][0]
        raise UserError(
            f"grades: {stranger}: no sample of this evaluation; expected its own export"
        )
    return {"file": f"{found[0].benchmark}.jsonl", "graded": graded, "points": points}


def _most(problem: Json) -> float | None:
    """The points that a question gives, which the data set has for its reference; None: unknown."""
    try:
        value = float(problem["reference"])
    except ValueError:
        return None
    return value if value > 0 else None


def _mixed(line: Json) -> str:
    return hashlib.sha256(f"{line['id']}\x1f{line['policy']}".encode()).hexdigest()
