"""BIG-Bench Hard by its 23 tasks, and their unweighted mean, as it is reported.

27 files make 23 tasks (tasks/problems/bbh.py). A task counts as much as another however many of
its problems were asked (Suzgun et al., arXiv 2210.09261, table 2), so a problem's score weighs
inversely to the size of its task.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from flows.evaluate.paired import BOOTSTRAP_SEED
from flows.evaluate.results import ScoredBenchmark
from tasks.evaluate.intervals import Interval, interval
from tasks.evaluate.metrics import scores
from tasks.problems.bbh import without_size
from tasks.settings import MeasureSettings

TASK_MEAN = "mean of tasks"


def by_task(
    result: ScoredBenchmark, settings: MeasureSettings
) -> tuple[dict[str, Interval], Interval]:
    """Greedy accuracy of each task of BIG-Bench Hard, and the mean over tasks."""
    how = (settings.bootstrap, settings.confidence, BOOTSTRAP_SEED)
    task = {row["id"]: without_size(row["subject"]) for row in result.problems}
    found = scores(result.greedy)
    sizes = Counter(task[key] for key in found)
    tasks = {
        name: interval([v for key, v in found.items() if task[key] == name], *how)
        for name in sorted(sizes)
    }
    weights = {name: len(found) / (len(sizes) * size) for name, size in sizes.items()}
    weighed = [weights[task[key]] * value for key, value in found.items()]
    mean = interval(weighed, *how, ceiling=max(weights.values()))
    # A resample with more of a small task than there is can pass 1, which no accuracy does.
    return tasks, replace(mean, high=min(mean.high, 1.0))
