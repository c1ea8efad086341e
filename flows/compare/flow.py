"""`restem compare`: finished runs side by side, the others against the first.

    read the policies' artifacts -> compare on the problems that they share -> tables and a page

Not covered: the spread between seeds of sampling and training, for which runs of several seeds are
needed; runs that are not finished.
"""

from __future__ import annotations

from flows.compare.read import read_policies
from flows.compare.results import ComparisonReport
from flows.compare.summary import summarise
from flows.evaluate.paired import SHOWN_CHANGES


def compare_runs(names: list[str], shown: int = SHOWN_CHANGES) -> ComparisonReport:
    """Compare policies of finished runs.

    Args:
        names: RUN or RUN:ITERATION, two or more; the first is what the others are compared with.
        shown: Most newly solved and newly lost problems of which the texts are kept, each.

    Raises:
        UserError: a name is wrong, a run is not finished, or two share no test problem.
    """
    return summarise(read_policies(names), shown)
