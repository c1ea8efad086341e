"""A discrete-event simulation of a run: who works when, what fails, and what the run waits for.

Servers of four kinds (engines, scorers, trainers, the flow itself) take the jobs that are ready in
the order in which the loop asks for them. An engine loads a policy before its first shard of it. A
server fails after exponential times of work; its job is lost and goes to the front of the queue,
and the server is back after a restart (and a load). Where engines and scorers share processors,
each worker slows down while the other works.

Deterministic for a seed. Not covered: networks and disks (they are inside the parts), queues of a
shared cluster, failures of the flow's own process (what is done stays done: docs/operations.md).
"""

from __future__ import annotations

import heapq
import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.gpus.simulation.jobs import SimulatedJob, Worker

FAST = (Worker.ENGINE, Worker.SCORER)


@dataclass(frozen=True)
class Servers:
    """What there is to work with.

    Attributes:
        engines: Sampling engines.
        scorers: Shards that are scored at once.
        trainers: Fine-tunes at once.
        load: Seconds in which an engine loads a policy.
        contention: How much slower engines and scorers are while both work; 1: not at all, 2: they
            share the same processors.
        spread: Standard deviation of the logarithm of an engine's speed (slow machines).
        mtbf: Mean seconds of work between failures of an engine; infinite: none.
        trainer_mtbf: The same of the trainer, which is many GPUs.
        restart: Seconds until a failed server is back, without the load.
        checkpoint: Most seconds of work that a failed fine-tune repeats.
    """

    engines: int = 1
    scorers: int = 1
    trainers: int = 1
    load: float = 0.0
    contention: float = 1.0
    spread: float = 0.0
    mtbf: float = math.inf
    trainer_mtbf: float = math.inf
    restart: float = 0.0
    checkpoint: float = math.inf


@dataclass
class SimulatedRun:
    """What came of it.

    Attributes:
        seconds: From the first job's start to the last one's end.
        ends: When each job ended, by job.
        begins: When its last attempt began.
        stages: Seconds of each stage, from the end of the one before it; they sum to `seconds`.
        busy: Seconds of work done by each worker's servers, loads included.
        waits: Seconds in which a worker worked alone, or, of workers that worked at once, the one
            whose work ended last in a stage: what the run waited for.
        lost: Seconds of work that failures threw away.
        repeats: Jobs that were begun again.
        loads: Policies loaded.
    """

    seconds: float = 0.0
    ends: list[float] = field(default_factory=list)
    begins: list[float] = field(default_factory=list)
    stages: list[float] = field(default_factory=list)
    busy: dict[Worker, float] = field(default_factory=lambda: defaultdict(float))
    waits: dict[Worker, float] = field(default_factory=lambda: defaultdict(float))
    lost: float = 0.0
    repeats: int = 0
    loads: int = 0

    def use(self, worker: Worker, servers: int) -> float:
        """Share of the run in which a worker's servers worked."""
        return self.busy[worker] / (self.seconds * servers) if self.seconds else 0.0

    @property
    def bottleneck(self) -> Worker:
        """The worker that the run waited for longest."""
        return max(self.waits, key=lambda worker: self.waits[worker], default=Worker.MAIN)


class _Run:
    """The event loop; time of a worker passes at the worker's own rate."""

    def __init__(self, jobs: Sequence[SimulatedJob], servers: Servers, seed: int) -> None:
        self.jobs, self.servers = jobs, servers
        self.draw = random.Random(seed)
        count = {
            Worker.ENGINE: servers.engines,
            Worker.SCORER: servers.scorers,
            Worker.TRAINER: servers.trainers,
            Worker.MAIN: 1,
        }
        self.free = {worker: list(range(number)) for worker, number in count.items()}
        self.speed = {
            (Worker.ENGINE, i): math.exp(self.draw.gauss(0.0, servers.spread))
            for i in range(servers.engines)
        }
        self.policy = [-1] * servers.engines
        self.ready: dict[Worker, list[int]] = {worker: [] for worker in Worker}
        self.waiting = [len(set(job.needs)) for job in jobs]
        self.next: dict[int, list[int]] = defaultdict(list)
        for number, job in enumerate(jobs):
            for need in set(job.needs):
                self.next[need].append(number)
        # (worker time of the end, tie-breaker, server, job or -1 for a repair, whether it fails)
        self.working: dict[Worker, list[tuple[float, int, int, int, bool]]] = {
            worker: [] for worker in Worker
        }
        self.clock = dict.fromkeys(Worker, 0.0)
        self.now, self.order, self.left = 0.0, 0, len(jobs)
        self.remaining = [job.work for job in jobs]
        self.result = SimulatedRun(ends=[0.0] * len(jobs), begins=[0.0] * len(jobs))

    def run(self) -> SimulatedRun:
        for number, waiting in enumerate(self.waiting):
            if not waiting:
                heapq.heappush(self.ready[self.jobs[number].worker], number)
        self.assign()
        while self.left:
            self.advance()
            self.assign()
        self.result.seconds = self.now
        self.account()
        return self.result

    def assign(self) -> None:
        for worker in Worker:
            while self.ready[worker] and self.free[worker]:
                self.begin(heapq.heappop(self.ready[worker]), heapq.heappop(self.free[worker]))

    def begin(self, number: int, server: int) -> None:
        job, result = self.jobs[number], self.result
        seconds = self.remaining[number]
        if job.worker is Worker.ENGINE:
            if not self.ready[Worker.ENGINE]:
                seconds += job.drain
            seconds /= self.speed[Worker.ENGINE, server]
            if self.policy[server] != job.policy:
                self.policy[server] = job.policy
                seconds += self.servers.load
                result.loads += 1
        mean = {Worker.ENGINE: self.servers.mtbf, Worker.TRAINER: self.servers.trainer_mtbf}.get(
            job.worker, math.inf
        )
        lives = self.draw.expovariate(1.0 / mean) if mean < math.inf else math.inf
        result.begins[number] = self.now
        self.push(job.worker, min(seconds, lives), server, number, lives < seconds)

    def push(self, worker: Worker, seconds: float, server: int, job: int, fails: bool) -> None:
        self.order += 1
        end = self.clock[worker] + seconds
        heapq.heappush(self.working[worker], (end, self.order, server, job, fails))
        if job >= 0:
            self.result.busy[worker] += seconds

    def rate(self, worker: Worker) -> float:
        both = all(self.working[one] for one in FAST)
        return 1.0 / self.servers.contention if both and worker in FAST else 1.0

    def advance(self) -> None:
        """Go to the next end of a job, a failure or a repair."""
        rates = {worker: self.rate(worker) for worker in Worker if self.working[worker]}
        waits = {
            worker: (self.working[worker][0][0] - self.clock[worker]) / rate
            for worker, rate in rates.items()
        }
        first = min(waits, key=lambda worker: waits[worker])
        passed = max(0.0, waits[first])
        self.now += passed
        for worker, rate in rates.items():
            self.clock[worker] += passed * rate
        end, _, server, number, fails = heapq.heappop(self.working[first])
        self.clock[first] = end
        if number < 0:
            heapq.heappush(self.free[first], server)
        elif fails:
            self.fail(first, server, number)
        else:
            self.finish(first, server, number)

    def fail(self, worker: Worker, server: int, number: int) -> None:
        worked = self.now - self.result.begins[number]
        kept = 0.0
        if worker is Worker.TRAINER and self.servers.checkpoint < math.inf:
            kept = worked // self.servers.checkpoint * self.servers.checkpoint
            self.remaining[number] = max(0.0, self.remaining[number] - kept)
        self.result.lost += worked - kept
        self.result.repeats += 1
        if worker is Worker.ENGINE:
            self.policy[server] = -1
        heapq.heappush(self.ready[worker], number)
        self.push(worker, self.servers.restart, server, -1, False)

    def finish(self, worker: Worker, server: int, number: int) -> None:
        self.result.ends[number] = self.now
        self.left -= 1
        heapq.heappush(self.free[worker], server)
        for follower in self.next[number]:
            self.waiting[follower] -= 1
            if not self.waiting[follower]:
                heapq.heappush(self.ready[self.jobs[follower].worker], follower)

    def account(self) -> None:
        """Seconds of each stage, and which worker it waited for."""
        result = self.result
        last = max((job.stage for job in self.jobs), default=-1)
        ends: list[dict[Worker, float]] = [{} for _ in range(last + 1)]
        for number, job in enumerate(self.jobs):
            workers = ends[job.stage]
            workers[job.worker] = max(workers.get(job.worker, 0.0), result.ends[number])
        before = 0.0
        for workers in ends:
            result.stages.append(max(0.0, max(workers.values(), default=before) - before))
            for worker, end in sorted(workers.items(), key=lambda item: item[1]):
                result.waits[worker] += max(0.0, end - before)
                before = max(before, end)


def simulate(jobs: Sequence[SimulatedJob], servers: Servers, seed: int = 0) -> SimulatedRun:
    """Work through the jobs.

    Args:
        jobs: In the order in which they are asked for (bench/gpus/simulation/jobs.py).
        servers: Who works.
        seed: Of failures and speeds.
    """
    return _Run(jobs, servers, seed).run()
