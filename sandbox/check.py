"""The attack suite against the engine at hand, so that people can trust their own machine.

Each program of attacks.json tries one thing; it gets the line 41, and 42 is expected. `right` are
the statuses that may come of it. After each an honest job must pass in the same worker.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from sandbox.pool import SandboxPool
from sandbox.verdict import Job, Limits, ProgramStatus, Test


class Attack(TypedDict):
    """One of attacks.json."""

    name: str
    program: str
    right: list[str]


ATTACKS: list[Attack] = json.loads(
    Path(__file__).with_name("attacks.json").read_text(encoding="utf-8")
)
HONEST = Job("print(int(input()) + 1)", (Test("41\n", "42"),))
ATTACK_LIMITS = Limits(cpu=1.0)


@dataclass(frozen=True)
class AttackOutcome:
    """What became of one attack."""

    name: str
    status: ProgramStatus
    right: bool
    next_passes: bool

    @property
    def held(self) -> bool:
        """Whether the sandbox did as it promises."""
        return self.right and self.next_passes


def run_attack(pool: SandboxPool, attack: Attack) -> AttackOutcome:
    """Run one attack, and an honest job after it."""
    job = Job(attack["program"], (Test("41\n", "42"),), limits=ATTACK_LIMITS)
    status = pool.submit(job).result().status
    after = pool.submit(HONEST).result().status
    right = status.value in attack["right"]
    return AttackOutcome(attack["name"], status, right, after is ProgramStatus.CORRECT)


def run_attacks(pool: SandboxPool) -> Iterator[AttackOutcome]:
    """Run every attack; the pool should have one worker."""
    for attack in ATTACKS:
        yield run_attack(pool, attack)
