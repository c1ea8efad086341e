"""Prefect's transactions on SQLite take the lock for writing when they begin.

Prefect (3.9.1) begins most of them as readers. One that reads and then wants to write fails at
once if any other has written in between, however long the lock could have been waited for: the
server answers 503, and whoever started a run by a click has to click again. In the minute after
`restem up`, when all deployments are registered and their runs are planned, that happens to most.
One that is a writer from the start waits for its turn, as Prefect's own do where they say so
(`with_for_update`).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prefect.server.database.configurations import AioSqliteConfiguration
    from sqlalchemy.ext.asyncio import AsyncSession, AsyncSessionTransaction


def write_in_turn() -> None:
    """Have each transaction of this process's Prefect server wait for those that write."""
    from prefect.server.database import configurations

    mode = configurations.SQLITE_BEGIN_MODE

    @asynccontextmanager
    async def begin_transaction(
        self: AioSqliteConfiguration, session: AsyncSession, with_for_update: bool = False
    ) -> AsyncGenerator[AsyncSessionTransaction]:
        del self, with_for_update
        # Sessions that a request opens beside this one read, so they begin as before.
        token = mode.set("DEFERRED")
        try:
            async with session.begin() as transaction:
                writer = mode.set("IMMEDIATE")
                try:
                    await session.connection()
                finally:
                    mode.reset(writer)
                yield transaction
        finally:
            mode.reset(token)

    # No public way (3.9.1).
    configurations.AioSqliteConfiguration.begin_transaction = begin_transaction
