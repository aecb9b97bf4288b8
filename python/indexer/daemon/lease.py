"""A consumer's name belongs to one process: a lease in schema `indexer`, because a full Redis must not make the living
look dead (interface.md, INDEXER_CONSUMER).
"""

import asyncio
import contextlib
import os
import socket
import uuid

import asyncpg
import structlog

from indexer.connections.database import Connection, Pool
from indexer.daemon.obedience import Obedience
from indexer.errors import ConfigError

log = structlog.get_logger()

LENGTH_S = 10
RENEWAL_S = 3

_TAKE = """
INSERT INTO indexer.lease AS l (consumer, owner, host, pid, started_at, expires_at)
VALUES ($1, $2, $3, $4, now(), now() + make_interval(secs => $5))
ON CONFLICT (consumer) DO UPDATE
SET owner = excluded.owner, host = excluded.host, pid = excluded.pid, started_at = excluded.started_at,
    expires_at = excluded.expires_at
WHERE l.expires_at < now() OR l.owner = excluded.owner
RETURNING 1
"""
_RENEW = """
UPDATE indexer.lease SET expires_at = now() + make_interval(secs => $3)
WHERE consumer = $1 AND owner = $2 RETURNING 1
"""
# The wishes are read and the answer is written with the same trip; what is read is from before, which is as well.
_RENEW_AND_HEAR = """
WITH kept AS (
    UPDATE indexer.lease SET expires_at = now() + make_interval(secs => $3)
    WHERE consumer = $1 AND owner = $2 RETURNING consumer
), answered AS (
    INSERT INTO indexer.control AS c (consumer, owner, heard, state, rate_now)
    SELECT consumer, $2, $4, $5, $6 FROM kept
    ON CONFLICT (consumer) DO UPDATE
    SET owner = excluded.owner, heard = excluded.heard, state = excluded.state, rate_now = excluded.rate_now
    WHERE (c.owner, c.heard, c.state, c.rate_now)
        IS DISTINCT FROM (excluded.owner, excluded.heard, excluded.state, excluded.rate_now)
)
SELECT c.wish, c.paused, c.rate FROM kept LEFT JOIN indexer.control c USING (consumer)
"""
_FORGET = "DELETE FROM indexer.control WHERE consumer = $1 AND owner = $2 AND NOT paused AND rate IS NULL"
_HOLDER = "SELECT host, pid, expires_at FROM indexer.lease WHERE consumer = $1"
_RELEASE = "DELETE FROM indexer.lease WHERE consumer = $1 AND owner = $2"
_LET_RUN_OUT = "UPDATE indexer.lease SET expires_at = now() WHERE consumer = $1 AND owner = $2"


class Lease:
    """The right to use a consumer's name."""

    def __init__(self, pool: Pool | Connection, consumer: str, obedience: Obedience | None = None) -> None:
        """With `obedience`, what operators ask is heard with each renewal, and answered."""
        self._pool = pool
        self._obedience = obedience
        self.consumer = consumer
        self.owner = uuid.uuid4()

    async def take(self) -> bool:
        """Take the name; returns True. Where another process has it: wait to see whether that one still lives.

        ConfigError when it does. One that was killed renews nothing, and its lease runs out.
        """
        first_seen = None
        while True:
            me = (self.consumer, self.owner, socket.gethostname(), os.getpid(), LENGTH_S)
            if await self._pool.fetchval(_TAKE, *me):
                return True
            holder = await self._pool.fetchrow(_HOLDER, self.consumer)
            if holder is None:
                continue
            if first_seen is None:
                first_seen = holder["expires_at"]
                log.info("lease_taken", consumer=self.consumer, host=holder["host"], pid=holder["pid"])
            elif holder["expires_at"] != first_seen:
                raise ConfigError(
                    f"the consumer name {self.consumer} is in use",
                    f"process {holder['pid']} on {holder['host']} renews its lease; two processes under one name would "
                    "take each other's messages",
                    "give each process an INDEXER_CONSUMER of its own",
                )
            await asyncio.sleep(0.5)

    async def keep(self) -> None:
        """Renew until cancelled. Raises ConfigError when the name went to another process."""
        while True:
            if self._obedience is None:
                await asyncio.sleep(RENEWAL_S)
            else:
                await self._obedience.pause_before_renewal(RENEWAL_S)
            try:
                kept = await self.renew()
                if not kept:
                    await self.take()  # it ran out while the database was away; still free, or ours to give up
            except ConfigError:
                raise
            except Exception as error:
                log.warning("lease_not_renewed", consumer=self.consumer, error=error)

    async def renew(self) -> bool:
        """Renew it once, and hear what is asked; False where the name is not ours any more."""
        obedience = self._obedience
        me = (self.consumer, self.owner, LENGTH_S)
        if obedience is not None and obedience.may_ask:
            answer = obedience.answer()
            try:
                row = await self._pool.fetchrow(_RENEW_AND_HEAR, *me, *answer)
            except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:
                obedience.absent(error)
            else:
                if row is not None:
                    obedience.told(answer)
                    obedience.hear(tuple(row))
                return row is not None
        return bool(await self._pool.fetchval(_RENEW, *me))

    async def release(self) -> None:
        """Give the name back, so that the next start need not wait."""
        await self._forget()
        await self._pool.execute(_RELEASE, self.consumer, self.owner)

    async def _forget(self) -> None:
        """Leave no row behind in which nothing is asked."""
        if self._obedience is not None and self._obedience.may_ask:
            with contextlib.suppress(asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
                await self._pool.execute(_FORGET, self.consumer, self.owner)

    async def let_run_out(self) -> None:
        """As `release`, but the neighbours shall see that this consumer was one of ours: it still holds entries."""
        await self._pool.execute(_LET_RUN_OUT, self.consumer, self.owner)
