"""What a Prefect server must not conclude from the time in which the machine was asleep.

Prefect measures two silences of runs by the wall clock, and both are over at once when a machine
wakes up, or when somebody sets its clock: the heartbeat that the station's automation waits for
(flows/station/automations.py), and the lease of a deployment's slot, without which a run ends
itself. A run that was asleep as well beats and renews in seconds, but not before the server looks.
So for a while after such a break the silences are measured anew (sandbox/awake.py says when there
was one).

Not covered: a server whose services or lease storage are other processes (docker-compose.yml).
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import TYPE_CHECKING
from uuid import UUID

from prefect.server.concurrency.lease_storage import filesystem

from sandbox.awake import awake, clock

if TYPE_CHECKING:
    from prefect.server.events.schemas.automations import Firing
    from sqlalchemy.ext.asyncio import AsyncSession

# Prefect's leases last so long; they are renewed when three quarters are over (prefect 3.9.1).
LEASE_SECONDS = 300.0
# The trigger's place is taken away in the transaction that fires it.
_AFTER_SECONDS = 1.0

_started = awake()
_again: set[asyncio.Task[None]] = set()


class ConcurrencyLeaseStorage(filesystem.ConcurrencyLeaseStorage):
    """Prefect's own on disk; after a sleep, or a start, no lease is over before it can be renewed.

    Named by the setting PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE.
    """

    async def read_expired_lease_ids(self, limit: int = 100) -> list[UUID]:
        """Leases that are over and whose holders had time to renew them."""
        if min(clock().since_break(), awake() - _started) < LEASE_SECONDS:
            return []
        return await super().read_expired_lease_ids(limit)


def measure_silence_anew() -> None:
    """Have triggers of what did not happen wait once more when the machine was asleep meanwhile."""
    import prefect.server.events.triggers as prefect_triggers
    from prefect.server.events.schemas.automations import EventTrigger, Posture

    # No public way (3.9.1).
    triggers: ModuleType = prefect_triggers
    fire = triggers.fire

    async def fire_unless_asleep(session: AsyncSession, firing: Firing) -> None:
        trigger = firing.trigger
        silence = isinstance(trigger, EventTrigger) and trigger.posture == Posture.Proactive
        within = trigger.within if silence else None
        if within and clock().since_break() < within.total_seconds():
            task = asyncio.create_task(_wait_anew(triggers, firing, within))
            _again.add(task)
            task.add_done_callback(_again.discard)
        else:
            await fire(session, firing)

    triggers.fire = fire_unless_asleep


async def _wait_anew(triggers: ModuleType, firing: Firing, within: timedelta) -> None:
    """Begin the silence that was to fire again, unless a sign of life has begun another one."""
    await asyncio.sleep(_AFTER_SECONDS)
    trigger, now = firing.trigger, datetime.now(UTC)
    key = tuple(firing.triggering_labels.values())
    async with triggers.automations_session() as session:
        if await triggers.read_bucket(session, trigger, key) is None:
            await triggers.start_new_bucket(
                session,
                trigger,
                bucketing_key=key,
                start=now,
                end=now + within,
                count=0,
                last_event=firing.triggering_event,
            )
            await session.commit()
