"""Benchmarks that a person grades (the Hungarian exam): samples out, points in.

The export has a line for each sample: id, policy, question, text, of (the most points, where the
data set says), and `points`, empty. A person fills `points` and hands the file to the same
evaluation; everything else of it comes from the cache. Policies are mixed by a hash and named by
their digest alone, so that who grades does not see which is which.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from flows.evaluate.paired import BOOTSTRAP_SEED
from flows.evaluate.results import HandScores, ScoredBenchmark
from tasks.errors import UserError
from tasks.evaluate.intervals import Interval, interval
from tasks.facts import Facts
from tasks.rows import Row
from tasks.settings import MeasureSettings


@dataclass(frozen=True)
class HandGrade(Facts):
    """The points that a person gave a policy's solution of a problem; `policy` is its digest."""

    id: str
    policy: str
    points: float


def exported(found: list[ScoredBenchmark], grades: list[HandGrade]) -> str:
    """JSON lines of the samples to grade; points that were given already are in them."""
    given = _given(grades)
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


def read_grades(path: str) -> list[HandGrade]:
    """The lines of a filled file that have points.

    Raises:
        UserError: naming the file, the line and the field.
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise UserError(f"grades: {file}: no such file; expected the export with points filled in")
    grades: dict[tuple[str, str], HandGrade] = {}
    for number, text in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if not text.strip():
            continue
        try:
            line = json.loads(text)
        except (ValueError, RecursionError):
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
        grades[key] = HandGrade(*key, float(points))
    return [grades[key] for key in sorted(grades)]


def scored_by_hand(
    found: list[ScoredBenchmark], grades: list[HandGrade], settings: MeasureSettings
) -> HandScores:
    """The share of points that each policy got, with its interval over questions.

    Questions weigh as many points as they give. A policy without any grade has no number.

    Raises:
        UserError: a grade is of no exported sample, or above what its question gives.
    """
    given = _given(grades)
    points: dict[str, Interval | None] = {}
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
        points[str(one.number)] = _share(scores, settings) if scores else None
    if given:
        stranger = sorted(given)[0][0]
        raise UserError(
            f"grades: {stranger}: no sample of this evaluation; expected its own export"
        )
    return HandScores(f"{found[0].benchmark}.jsonl", graded, points)


def _given(grades: list[HandGrade]) -> dict[tuple[str, str], float]:
    return {(grade.id, grade.policy): grade.points for grade in grades}


def _share(scores: list[tuple[float, float]], settings: MeasureSettings) -> Interval:
    """The share of points, from (points, most points) of each question."""
    mean = sum(most for _, most in scores) / len(scores)
    return interval(
        [got / mean for got, _ in scores],
        settings.bootstrap,
        settings.confidence,
        BOOTSTRAP_SEED,
        ceiling=max(most for _, most in scores) / mean,
    )


def _most(problem: Row) -> float | None:
    """The points that a question gives, which the data set has for its reference; None: unknown."""
    try:
        value = float(problem["reference"])
    except ValueError:
        return None
    return value if value > 0 else None


def _mixed(line: Row) -> str:
    return hashlib.sha256(f"{line['id']}\x1f{line['policy']}".encode()).hexdigest()
