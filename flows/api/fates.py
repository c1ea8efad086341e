"""Which samples of a run were trained on, and which a rule dropped that no verdict tells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flows.runs.journal_forms import StepLine
from flows.runs.status import need_artifact
from tasks.dag.shard_inputs import shards_of
from tasks.dag.step_names import SELECT
from tasks.errors import UserError
from tasks.rows import PROBLEMS_FILE, ROWS_FILE, SAMPLES_FILE, VERDICTS_FILE, read_rows
from tasks.select.fates import with_fate
from tasks.select.results import FATES, SelectionCounts
from tasks.select.step import rules_of
from tasks.store.store import ArtifactRef, Store


class FateReader:
    """Tells the samples of one fate from what selections left."""

    def __init__(self, store: Store, steps: Sequence[StepLine], fate: str) -> None:
        """Nothing is read yet."""
        self._store, self._fate = store, fate
        # By the policy whose samples were selected from.
        self._lines = {line.iteration - 1: line for line in steps if line.step == SELECT}
        self._found: dict[int, dict[str, np.ndarray]] = {}

    def of_these(self, lines: Sequence[StepLine]) -> list[StepLine]:
        """Those of whose samples rows were selected.

        Raises:
            UserError: there are none.
        """
        found = [line for line in lines if line.iteration in self._lines]
        if not found:
            raise UserError(f"fate: {self._fate}: no rows were selected from these samples")
        return found

    def among(self, places: np.ndarray, iteration: int, samples: ArtifactRef) -> np.ndarray:
        """Of places in a shard those whose samples have the fate.

        Args:
            places: In the shard.
            iteration: The policy that its samples are of.
            samples: Of the shard.

        Raises:
            UserError: an artifact is gone, or the rows do not tell.
        """
        if iteration not in self._found:
            self._found[iteration] = self._read(iteration)
        had = self._found[iteration].get(samples.key)
        return places[:0] if had is None else places[had[places]]

    def _read(self, iteration: int) -> dict[str, np.ndarray]:
        store, ref = self._store, need_artifact(self._store, self._lines[iteration].artifact)
        made = store.manifest(ref).provenance
        rules = rules_of(made.settings, made.hints)
        untold = UserError(
            f"fate: {self._fate}: the rows selected from samples of p{iteration} do not tell "
            "which samples these are"
        )
        if made.step != SELECT or rules.thinking == "drop":
            raise untold
        found = with_fate(
            self._fate,
            [
                (
                    str(self._path(one.samples) / SAMPLES_FILE),
                    str(self._path(one.verdicts) / VERDICTS_FILE),
                    one.samples.key,
                )
                for one in shards_of(made.inputs)
            ],
            {
                (row["samples"], row["problem_id"], row["index"])
                for row in read_rows(
                    store.path(ref) / ROWS_FILE, ["samples", "problem_id", "index"]
                )
            },
            list(read_rows(self._path(made.inputs["problems"]) / PROBLEMS_FILE)),
            rules,
        )
        # Not all rules are applied again; the counts say whether another one dropped anything.
        counted = getattr(SelectionCounts.read(store.path(ref)), FATES[self._fate])
        if sum(int(had.sum()) for had in found.values()) != counted:
            raise untold
        return found

    def _path(self, ref: ArtifactRef) -> Path:
        return self._store.path(need_artifact(self._store, ref.location))
