"""What the runs of a study measured, by arm, seed and policy, with intervals over seeds.

An interval over seeds (Student's t, tasks/evaluate/over_seeds.py) says how far a number would move
with other samples and another order of training. All seeds are tested on the same problems, so it
does not say how it would move with other problems; the reports of single runs do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tasks.evaluate.intervals import Interval
from tasks.evaluate.over_seeds import over_seeds
from tasks.rows import Json

# A quantity of one seed, or None where it was not measured.
Quantity = Callable[["Results", int], float | None]

# Other tasks that ask for what the base policy could do before: no transfer, but perhaps a loss.
OLDER_SKILLS = {"synthetic_sums"}


@dataclass(frozen=True)
class Results:
    """Reports of all runs: (arm, seed) → iterations of its report.json."""

    runs: Mapping[tuple[str, int], Sequence[Json]]
    seeds: Sequence[int]
    confidence: float = 0.95

    @property
    def arms(self) -> list[str]:
        """Arms in order."""
        return list(dict.fromkeys(arm for arm, _ in self.runs))

    def policies(self, arm: str) -> int:
        """How many policies every seed of an arm has, the base included."""
        return min(len(run) for (name, _), run in self.runs.items() if name == arm)

    def value(self, arm: str, seed: int, metric: str, at: int = -1) -> float | None:
        """A metric of policy p_at; None where it was not measured.

        Args:
            arm: Its name.
            seed: Its seed.
            metric: One of the run's (greedy, train, gap, validation, pass@k, maj@k);
                `transfer:NAME`, or `transfer`, the mean of all other tasks that are not older
                skills; `bin:NAME` (gain over the base on problems of a difficulty);
                `level:L` (greedy accuracy); `accepted` (share of its samples); `rows` (that it was
                trained on).
            at: The policy; -1 is the last.
        """
        run = self.runs.get((arm, seed))
        if run is None or (at >= 0 and at >= len(run)):
            return None
        kind, _, name = metric.partition(":")
        now = run[at]
        if kind == "transfer":
            asked = {name} if name else set(now["transfer"]) - OLDER_SKILLS
            values = [
                now["transfer"][key]["greedy"]["value"] for key in asked & set(now["transfer"])
            ]
            return sum(values) / len(values) if values else None
        if kind == "bin":
            gains = {one["bin"]: one["difference"]["value"] for one in now.get("bins", [])}
            return gains.get(name)
        if kind == "level":
            return now["levels"].get(name, {}).get("value")
        if metric == "accepted":
            counts = now["selection"]
            return counts["correct"] / counts["samples"] if counts else None
        if metric == "rows":
            before = run[at - 1] if len(run) > 1 and at else {}
            return (before.get("selection") or {}).get("kept")
        return now["metrics"].get(metric, {}).get("value")

    def mean(self, quantity: Quantity) -> Interval | None:
        """The mean of a quantity over the seeds, with its interval; None: of no seed."""
        found = [quantity(self, seed) for seed in self.seeds]
        values = [value for value in found if value is not None]
        return over_seeds(values, self.confidence) if values else None
