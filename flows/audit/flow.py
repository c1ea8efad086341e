"""`restem audit`: a second checker over a sample of a finished run's verdicts.

    draw pairs -> ask the second checker -> agreement and error rates -> audit.json, page, markdown

Not covered: programs, whose verdict is that of tests; errors that both checkers make.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flows.audit.estimate import CheckedPair
from flows.audit.labels import check_out, read_labels, write_lines
from flows.audit.results import AuditReport
from flows.audit.sample import AuditSample, draw_pairs
from flows.audit.summary import summarise
from flows.report.values import counted
from tasks.errors import UserError
from tasks.processes.cores import usable_cores
from tasks.score.second.math_verify import LIMIT_SECONDS, SecondChecker

# Enough pairs that a rate of 1% has an interval of about a point; minutes of work.
DEFAULT_PAIRS = 2000


@dataclass(frozen=True)
class Options:
    """What a person may choose.

    Attributes:
        pairs: Unlike pairs to ask about; 0: all.
        seed: Of the draw and of the resampling.
        limit: Wall seconds for one pair.
        workers: Processes; 0: one a core.
        out: Where the disagreements go, to be labelled.
        labels: Where labels come from.
    """

    pairs: int = DEFAULT_PAIRS
    seed: int = 0
    limit: float = LIMIT_SECONDS
    workers: int = 0
    out: Path | None = None
    labels: Path | None = None


def audit_run(run: str, options: Options, progress: Callable[[int, int], None]) -> AuditReport:
    """Compare a run's verdicts with the second checker's opinions.

    Args:
        run: A run's id, its beginning, or `latest`.
        options: What a person chose.
        progress: Told how many of how many pairs are done.

    Raises:
        UserError: the run, an artifact of it, the labels or the output file is not as expected.
    """
    labels = read_labels(options.labels) if options.labels else {}
    if options.out:
        check_out(options.out, options.labels)
    drawn = draw_pairs(run, options.pairs, options.seed)
    checked = _ask(drawn, options, progress)
    disputed = [one for one in checked if one.disagrees]
    strangers = len(labels.keys() - {one.pair.id for one in disputed})
    if labels and strangers == len(labels):
        raise UserError(
            f"--labels {options.labels}: none of its ids is a disagreement of this audit; "
            "expected labels of this run, with the same --pairs and --seed"
        )
    if options.out:
        write_lines(options.out, disputed, labels)
    if strangers:
        drawn.notes.append(
            f"Not used: {counted(strangers, 'label')} of pairs that are no disagreement here. Take "
            "the same --pairs and --seed."
        )
    return summarise(run, drawn, checked, labels, seed=options.seed, limit=options.limit)


def _ask(
    drawn: AuditSample, options: Options, progress: Callable[[int, int], None]
) -> list[CheckedPair]:
    checked: list[CheckedPair] = []
    with SecondChecker(options.workers or usable_cores(), options.limit) as checker:
        opinions = checker.ask((pair.gold, pair.text) for pair in drawn.pairs)
        for pair, opinion in zip(drawn.pairs, opinions, strict=True):
            checked.append(CheckedPair(pair, opinion))
            progress(len(checked), len(drawn.pairs))
    return checked
