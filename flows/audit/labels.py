"""The disagreements of an audit as JSON lines for a person to label, and the labels read back.

A line has what is needed to judge: question, reference, the text, both readings. The person writes
"equal" or "unequal" into its field "label": whether the text's answer is the reference. Lines come
in random order, so that labelling the first ones only is still a fair sample.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from flows.audit.estimate import CheckedPair, PairLabels
from tasks.durable import write_durably
from tasks.errors import UserError

EQUAL, UNEQUAL = "equal", "unequal"


def check_out(out: Path, labels: Path | None) -> None:
    """Refuse a file that cannot be written, or that may hold somebody's labels.

    Raises:
        UserError: it is there already, or its folder is not.
    """
    if out.exists() and not (labels is not None and labels.exists() and out.samefile(labels)):
        raise UserError(
            f"--out {out}: the file is there already and may hold labels; "
            "expected a new file, or the one given to --labels"
        )
    if not out.resolve().parent.is_dir():
        raise UserError(f"--out {out}: no such folder; expected a file in one that exists")


def write_lines(out: Path, disputed: Iterable[CheckedPair], labels: PairLabels) -> int:
    """Write the disagreements, with the labels that are known; returns how many.

    Labelled lines of a file that is there already stay in it, whatever was drawn this time.
    """
    before = out.read_text(encoding="utf-8").split("\n") if out.exists() else []
    written: set[str] = set()
    lines: list[str] = []
    for one in disputed:
        pair, line = one.pair, _line(one)
        if pair.id in labels:
            line["label"] = EQUAL if labels[pair.id] else UNEQUAL
        lines.append(json.dumps(line))
        written.add(pair.id)
    for number, kept in enumerate(before, 1):
        found = _label(out, number, kept) if kept.strip() else None
        if found and found[0] not in written:
            lines.append(kept)
    write_durably(out, "".join(f"{line}\n" for line in lines))
    return len(written)


def _line(one: CheckedPair) -> dict[str, object]:
    pair, second = one.pair, one.second
    return {
        "label": "",
        "id": pair.id,
        "problem": pair.problem_id,
        "question": pair.question,
        "reference": pair.gold,
        "text": pair.text,
        "ours": {"status": pair.status, "extracted": pair.extracted},
        "second": {
            "opinion": second.opinion.value,
            "extracted": second.answer.text,
            "value": second.answer.value,
            "reference": second.gold.value,
        },
    }


def read_labels(file: Path) -> PairLabels:
    """The labels of a file; lines with an empty label count for nothing.

    Raises:
        UserError: there is no such file, or a line (named) is not one of `write_lines` with the
            label "equal", "unequal" or "".
    """
    try:
        lines = file.read_text(encoding="utf-8").split("\n")
    except OSError:
        raise UserError(f"--labels {file}: no such file; expected one that --out wrote") from None
    except UnicodeDecodeError:
        raise UserError(f"--labels {file}: not UTF-8; expected JSON lines") from None
    labels: PairLabels = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        found = _label(file, number, line)
        if found is None:
            continue
        key, equal = found
        if labels.setdefault(key, equal) != equal:
            raise UserError(f"{file}, line {number}: id {key} was labelled otherwise before")
    return labels


def _label(file: Path, number: int, line: str) -> tuple[str, bool] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise UserError(f"{file}, line {number}: not JSON; expected a line of --out") from None
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        raise UserError(f'{file}, line {number}: expected an object with "id" and "label"')
    label = row.get("label")
    if label not in (EQUAL, UNEQUAL, ""):
        raise UserError(
            f"{file}, line {number}: label {json.dumps(label)}; "
            f'expected "{EQUAL}", "{UNEQUAL}" or ""'
        )
    return (row["id"], label == EQUAL) if label else None
