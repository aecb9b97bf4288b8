"""Takes over what dead consumers hold, beside the lanes: claimed in portions, and then processed like all else.

Nothing is acknowledged here but entries without a body. A claimed entry is pending for this consumer, whose lane looks
again at what it holds: decoded, committed, acknowledged. Whatever ends this process leaves it pending.
"""

import asyncio
import random
import time
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from indexer.connections.database import Pool
from indexer.lane.faults import PASSING, REDIS_AWAY, refusal
from indexer.lane.liveness import Dead, Liveness
from indexer.lane.pending import acknowledge_vanished, claim, consumers, held
from indexer.lane.pipeline import Lane
from indexer.lane.source import MOST_IDS_LOGGED
from indexer.pulse import beat
from indexer.sink.faults import fault_class

log = structlog.get_logger()

LOOK_S = 4.0
"""Between two looks at the consumers."""
PORTION = 1_000
"""Entries that are claimed at a time; the next are when the lane has settled them."""
SOON_S = 0.1
"""Between two looks whether it has."""
OUT_OF_SIGHT_S = 30.0
"""Whoever did not look for so long does not know what happened meanwhile."""

_OVERDUE = "SELECT consumer, extract(epoch FROM now() - expires_at)::float8 FROM indexer.lease"


class Adopter:
    """One task; instances need not know of each other: what one claims is not claimed by another."""

    def __init__(self, pool: Pool, redis: "Redis", lanes: list[Lane[Any]], claim_idle_ms: int) -> None:
        self._pool = pool
        self._groups = [_GroupAdopter(redis, lane, claim_idle_ms / 1000) for lane in lanes]
        self._look_s = min(LOOK_S, claim_idle_ms / 4000)
        self._looked = float("-inf")
        self._trouble: str | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Work until cancelled, and claim nothing once `stop` is set. Raises only what is a fault of our own."""
        busy = False
        while True:
            await asyncio.sleep(SOON_S if busy else self._look_s * random.uniform(0.8, 1.2))
            beat()  # also while there is nothing to ask the servers for
            if not stop.is_set():
                busy = await self._look()

    async def _look(self) -> bool:
        """Look at every group once; whether there is more to do at once."""
        if time.monotonic() - self._looked > OUT_OF_SIGHT_S:
            self._forget()
        busy = False
        try:
            overdue = await overdue_leases(self._pool)
            for group in self._groups:
                busy |= await group.look(overdue)
        except Exception as error:
            self._forgive(error)
            return False
        self._looked, self._trouble = time.monotonic(), None
        return busy

    def _forget(self) -> None:
        for group in self._groups:
            group.liveness.forget()

    def _forgive(self, error: Exception) -> None:
        """What fails is tried again later; the lanes tell of servers that are away."""
        if not isinstance(error, REDIS_AWAY) and fault_class(error) == "programming":
            raise error
        self._forget()
        refused = isinstance(error, ResponseError) and refusal(error) not in PASSING
        if refused and self._trouble != str(error):
            self._trouble = str(error)
            log.error("adoption_refused", error=error, remedy="the commands that it needs are in deploy/redis.acl")


class _GroupAdopter:
    """Takes over what dead consumers of the group of one lane hold."""

    def __init__(self, redis: "Redis", lane: Lane[Any], idle_s: float) -> None:
        self._redis = redis
        self._lane = lane
        self._of = (lane.source.stream, lane.source.group)
        self._me = lane.source.consumer.encode()
        self.liveness = Liveness(idle_s)
        self._told: set[bytes] = set()
        self._portion: list[bytes] = []
        """What was claimed last and may not be settled yet."""
        self._asked = 0.0
        """When the lane was last asked to look for it."""

    async def look(self, overdue: dict[str, float]) -> bool:
        """Judge the consumers and claim a portion; whether one is under way."""
        found = await consumers(self._redis, *self._of)
        dead = self.liveness.look(time.monotonic(), (one for one in found if one.name != self._me), overdue)
        self._told &= {one.consumer.name for one in dead}
        if self._lane.halted or self._lane.waiting or self._lane.is_paused:
            return False
        if await self._is_under_way():
            return True
        for one in dead:
            if await self._claim(one):
                return True
        return False

    async def _is_under_way(self) -> bool:
        if not self._portion:
            return False
        left = await self._redis.xpending_range(
            *self._of,
            min=self._portion[0].decode(),
            max=self._portion[-1].decode(),
            count=1,
            consumername=self._me.decode(),
        )
        if not left:
            self._portion = []
        elif time.monotonic() - self._asked > LOOK_S:  # an answer may have been lost
            self._ask()
        return bool(left)

    def _ask(self) -> None:
        self._lane.look_back = True
        self._asked = time.monotonic()

    async def _claim(self, dead: Dead) -> bool:
        """Claim the oldest entries of a dead consumer; False where there are none that are old enough."""
        name, idle_ms = dead.consumer.name, int(dead.idle_s * 1000)
        ids = await held(self._redis, *self._of, name, PORTION, idle_ms)
        if not ids:
            return False
        if gone := await acknowledge_vanished(self._redis, *self._of, ids):
            self._lane.metrics.vanished(len(gone))
            shown = [id_.decode() for id_ in gone[:MOST_IDS_LOGGED]]
            log.warning("entries_vanished", stream=self._of[0], number=len(gone), ids=shown)
        self._portion, self._asked = ids, 0.0  # they may be ours, and the answer lost
        claimed = await claim(self._redis, *self._of, self._me, idle_ms, ids)
        self._ask()
        self._lane.metrics.claimed(dead.reason, len(claimed))
        if claimed:
            self._tell(dead)
        return True

    def _tell(self, dead: Dead) -> None:
        if dead.consumer.name not in self._told:
            self._told.add(dead.consumer.name)
            log.warning(
                "consumer_adopted",
                stream=self._of[0],
                group=self._of[1],
                consumer=dead.consumer.name.decode(errors="replace"),
                reason=dead.reason,
                entries=dead.consumer.pending,
                idle_s=round(dead.consumer.idle_s),
            )


async def overdue_leases(pool: Pool) -> dict[str, float]:
    """By consumer, the seconds since its lease ran out; less than 0 where it is in force."""
    return {row[0]: row[1] for row in await pool.fetch(_OVERDUE)}


async def report_held_by_others(redis: "Redis", lanes: list[Lane[Any]]) -> None:
    """Tell what other consumers hold: `--drain` does not wait for it (interface.md)."""
    for lane in lanes:
        source = lane.source
        found = await consumers(redis, source.stream, source.group)
        others = {
            one.name.decode(errors="replace"): one.pending
            for one in sorted(found, key=lambda one: -one.pending)
            if one.pending and one.name != source.consumer.encode()
        }
        if others:
            shown = dict(list(others.items())[:MOST_IDS_LOGGED])
            log.info("held_by_others", stream=source.stream, entries=sum(others.values()), consumers=shown)
