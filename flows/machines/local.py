"""What a run needs from the machine: one sampling engine at a time, checkers, a sandbox."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tasks.dag.contracts import WORKED_OUT, Engine, EngineSettings, Grader
from tasks.dag.runtime import Runtime, StepProgress, home
from tasks.errors import UserError
from tasks.generate.hosted.service import ENGINE as HOSTED_ENGINE
from tasks.processes.child import close_fork_server, fork_server, preload
from tasks.processes.cores import usable_cores
from tasks.processes.functions import LOAD_SECONDS, FunctionPool
from tasks.rows import Json
from tasks.settings import Resources
from tasks.settings.user_function import UserFunction
from tasks.store.store import ArtifactRef, Store

if TYPE_CHECKING:
    from sandbox.pool import SandboxPool
    from tasks.rate.rater import RewardModel
    from tasks.score.math.pool import GradePool

# Shards that an engine has at once, so that it never runs half empty.
IN_FLIGHT = 2
# Imported once by the process that engines and trainers are forked from.
_PRELOAD = ["flows.machines.preload"]


def warm_up() -> None:
    """Start what takes seconds to import, so that it is ready when the first step asks for it."""
    preload(_PRELOAD)
    fork_server(home() / "logs" / "fork_server.log")


class LocalMachine:
    """Starts engines and checkers at first use and ends them.

    One engine lives at a time: asking for another policy, or `release_engine`, frees its memory.
    """

    def __init__(
        self,
        store: Store,
        logs: Path,
        resources: Resources,
        progress: StepProgress,
        *,
        isolate: bool = True,
        sandbox: Json | None = None,
        functions: Sequence[UserFunction] = (),
    ) -> None:
        """Nothing is started yet.

        `isolate=False` (benchmarks) runs heavy steps in this process. What will be asked of the
        sandbox, if anything, and the user's own `functions` are tried before an engine is started,
        for nobody wants to hear of a missing Docker engine after an hour of sampling.
        """
        preload(_PRELOAD)
        self._is_first = True
        self._store, self._logs, self._resources = store, logs, resources
        self.isolate = isolate
        self._lock = threading.RLock()
        self._engine: Engine | None = None
        self._rater: RewardModel | None = None
        self._engine_of: tuple[str, ...] = ()
        self._pools: dict[str, GradePool] = {}
        self._sandbox: SandboxPool | None = None
        self._needed = sandbox
        # Problems are there before an engine is.
        self._untried = [one for one in functions if one.kind != "loader"]
        self._asked = functions
        self._functions: dict[tuple[str, float], FunctionPool] = {}
        self.engines_started = 0
        self.runtime = Runtime(
            store=store,
            logs=logs,
            resources=resources,
            engine=self._get_engine,
            grader=self._get_grader,
            progress=progress,
            functions=self._get_function,
            rater=self._get_rater,
            isolate=isolate,
        )

    def beside(self, logs: Path, progress: StepProgress) -> LocalMachine:
        """One for another run at the same time; the fork server stays this one's to end.

        Args:
            logs: Its folder.
            progress: As in the constructor.
        """
        other = LocalMachine(
            *(self._store, logs, self._resources, progress),
            isolate=self.isolate,
            sandbox=self._needed,
            functions=self._asked,
        )
        other._is_first = False
        return other

    def _get_engine(self, model: ArtifactRef, settings: EngineSettings) -> Engine:
        wanted = (
            *(model.digest, settings.engine, settings.dtype),
            json.dumps(settings.vllm_args, sort_keys=True),
            *(*settings.fields, settings.named_by),
        )
        with self._lock:
            if self._engine is None or self._engine_of != wanted:
                if self._needed is not None:
                    self._get_grader(self._needed)
                self._try_functions()
                self.release_engine()
                self._engine = self._open(model, settings)
                self._engine_of = wanted
                self.engines_started += 1
            return self._engine

    def _open(self, model: ArtifactRef, settings: EngineSettings) -> Engine:
        resources = self._resources
        if settings.engine == HOSTED_ENGINE:
            return self._open_hosted(model, settings)
        if resources.endpoints:
            from tasks.decoding.policy_tokenizer import policy_tokenizer
            from tasks.generate.endpoint import EngineOptions
            from tasks.generate.endpoints import EndpointEngine

            if settings.engine != "vllm":
                raise UserError("resources.endpoints: for sampling.engine = vllm, which they are")
            options = EngineOptions(settings.dtype, resources.batch_size, settings.vllm_args)
            return EndpointEngine(
                resources.endpoints,
                model,
                options,
                stall=resources.stall_seconds,
                without=resources.endpoints_without,
                tokenizer=lambda: policy_tokenizer(self._store.path(model)),
            )
        folder = self._store.path(model)
        if not self.isolate:
            from tasks.generate.transformers_engine import TransformersEngine

            return TransformersEngine(
                folder,
                device=resources.device,
                dtype=settings.dtype,
                threads=resources.threads,
                batch_size=resources.batch_size,
            )
        from tasks.generate.engine import open_engine

        return open_engine(
            settings.engine,
            folder,
            resources=resources,
            dtype=settings.dtype,
            vllm_args=settings.vllm_args,
            log=self._logs / f"engine-{settings.engine}.log",
            home=home(),
            say=lambda text: self.runtime.say(text),
        )

    def _get_rater(self, model: ArtifactRef, chat: bool) -> RewardModel:
        """A reward model takes the engine's place: one model lives at a time."""
        from tasks.rate.rater import RewardModel

        wanted = (model.digest, "reward model", str(chat))
        with self._lock:
            if self._rater is None or self._engine_of != wanted:
                self.release_engine()
                log = self._logs / "reward-model.log"
                self._rater = RewardModel(self._store.path(model), self._resources, log, chat=chat)
                self._engine_of = wanted
            return self._rater

    def _open_hosted(self, model: ArtifactRef, settings: EngineSettings) -> Engine:
        from tasks.generate.hosted.client import TEACHER
        from tasks.generate.hosted.judge import open_hosted
        from tasks.generate.hosted.service import HostedModel

        return open_hosted(
            HostedModel.read(self._store.path(model)),
            self.runtime,
            self._resources,
            settings.fields,
            settings.named_by or TEACHER,
        )

    def _get_grader(
        self, sandbox: Json | None = None, checker: str = "", score: str = "correct"
    ) -> Grader:
        if checker and checker != WORKED_OUT:
            from tasks.score.choice import ChoiceGrader
            from tasks.score.notes import NotesGrader
            from tasks.score.text import ExactGrader, HandGrader

            named = {
                **{"hand": HandGrader, "choice": ChoiceGrader, "exact": ExactGrader},
                "notes": NotesGrader,
            }
            return named[checker]()
        with self._lock:
            workers = self._resources.score_workers or usable_cores()
            if sandbox is not None:
                from tasks.score.code.conditions import Conditions
                from tasks.score.code.pool import CodePool

                asked = Conditions.of(sandbox)
                pool = self._get_sandbox(sandbox["image"], workers, asked.limits.memory)
                return CodePool(pool, asked.limits, score, asked)
            if checker not in self._pools:
                from tasks.score.math.limits import GRADE_SECONDS
                from tasks.score.math.pool import GradePool

                work_out = checker == WORKED_OUT
                self._pools[checker] = GradePool(workers, GRADE_SECONDS, work_out=work_out)
            return self._pools[checker]

    def _try_functions(self) -> None:
        """See that each function can be loaded here, once."""
        while self._untried:
            with FunctionPool(self._untried[0], 1, LOAD_SECONDS) as pool:
                pool.check()
            self._untried.pop(0)

    def _get_function(self, function: UserFunction, seconds: float) -> FunctionPool:
        asked = (json.dumps(function.to_json()), seconds)
        with self._lock:
            if asked not in self._functions:
                workers = self._resources.score_workers or usable_cores()
                pool = self._functions[asked] = FunctionPool(function, workers, seconds)
                pool.check()
            return self._functions[asked]

    def _get_sandbox(self, image: str, workers: int, memory: int) -> SandboxPool:
        if self._sandbox is None:
            from sandbox.pool import NoEngine, SandboxPool

            runtime = self._resources.sandbox_runtime or None
            try:
                self._sandbox = SandboxPool(image, workers=workers, memory=memory, runtime=runtime)
            except NoEngine as error:
                raise UserError(f"code problems need the sandbox: {error}") from None
        return self._sandbox

    def release_engine(self) -> None:
        """End the engine, so that its memory is free for the next stage."""
        for one in (self._engine, self._rater):
            if one is not None:
                one.close()
        self._engine, self._rater, self._engine_of = None, None, ()

    def close(self) -> None:
        """End everything."""
        self.release_engine()
        if self._is_first:
            close_fork_server()
        while self._pools:
            self._pools.popitem()[1].close()
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None
        while self._functions:
            self._functions.popitem()[1].close()

    def __enter__(self) -> LocalMachine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
