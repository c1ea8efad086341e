"""What a run needs from the machine: one sampling engine at a time, a pool of checkers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tasks.artifacts import ArtifactRef, Json, Store
from tasks.runtime import Progress, Runtime, home
from tasks.settings import Resources
from tasks.stage import close_nursery, nursery, preload

# Imported once by the process that engines and trainers are forked from.
PRELOAD = ["tasks.warm"]
# A math answer that the checker has not settled by then is a checker error (tasks/filter/pool.py).
GRADE_SECONDS = 5.0


def warm_up() -> None:
    """Start what takes seconds to import, so that it is ready when the first step asks for it."""
    preload(PRELOAD)
    nursery(home() / "logs" / "nursery.log")


class Services:
    """Starts engines and checkers at first use and ends them.

    One engine lives at a time: asking for another policy, or `release_engine`, frees its memory.
    """

    def __init__(
        self,
        store: Store,
        logs: Path,
        resources: Resources,
        progress: Progress,
        *,
        isolate: bool = True,
    ) -> None:
        preload(PRELOAD)
        self._store, self._logs, self._resources = store, logs, resources
        self._isolate = isolate
        self._engine: Any = None
        self._engine_of: tuple[str, ...] = ()
        self._pool: Any = None
        self.engines_started = 0
        self.runtime = Runtime(
            store=store,
            logs=logs,
            resources=resources,
            engine=self._get_engine,
            grader=self._get_pool,
            progress=progress,
            isolate=isolate,
        )

    def _get_engine(self, model: ArtifactRef, settings: Json) -> Any:
        wanted = (model.digest, settings["engine"], settings["dtype"])
        if self._engine_of != wanted:
            self.release_engine()
            self._engine = self._open(self._store.path(model), settings)
            self._engine_of = wanted
            self.engines_started += 1
        return self._engine

    def _open(self, folder: Path, settings: Json) -> Any:
        resources = self._resources
        if not self._isolate:
            from tasks.generate.transformers_engine import TransformersEngine

            return TransformersEngine(
                folder,
                device=resources.device,
                dtype=settings["dtype"],
                threads=resources.threads,
                batch_size=resources.batch_size,
            )
        from tasks.generate.engine import open_engine

        return open_engine(
            settings["engine"],
            folder,
            resources=resources,
            dtype=settings["dtype"],
            log=self._logs / f"engine-{settings['engine']}.log",
            home=home(),
        )

    def _get_pool(self) -> Any:
        if self._pool is None:
            from tasks.filter.pool import GradePool

            workers = self._resources.score_workers or os.cpu_count() or 1
            self._pool = GradePool(workers, GRADE_SECONDS).__enter__()
        return self._pool

    def release_engine(self) -> None:
        """End the engine, so that its memory is free for the next stage."""
        if self._engine is not None:
            self._engine.close()
        self._engine, self._engine_of = None, ()

    def close(self) -> None:
        """End everything."""
        self.release_engine()
        close_nursery()
        if self._pool is not None:
            self._pool.__exit__(None, None, None)
            self._pool = None

    def __enter__(self) -> Services:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
