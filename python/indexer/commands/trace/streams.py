"""Messages about a record or an account that are in the streams now, found by reading (XRANGE) from either end."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import NoPermissionError

from indexer import _native
from indexer._native import Event, Ignored, Reject
from indexer.commands.handover.holdings import Group
from indexer.commands.status.estimates import Count, rates
from indexer.commands.status.queues import Queue, queue
from indexer.commands.trace.facts import Fact, Target
from indexer.commands.trace.tables import Tables, loaded, names
from indexer.fold.apply import fold
from indexer.fold.tid import LATEST_MS
from indexer.fold.world import World
from indexer.lane.source import MOST_BYTES
from indexer.wording import quantity

PAGE = 500
MOST_SHOWN = 50
"""Messages of an account that are shown, of each stream."""


@dataclass(frozen=True, slots=True)
class Match:
    """An entry about what is traced."""

    id: str
    payload: bytes
    body: dict[str, Any]
    before: int
    """Entries before it in the stream."""

    @property
    def ms(self) -> int:
        return int(self.id.partition("-")[0])


@dataclass(slots=True)
class Looked:
    """What was looked at of one stream."""

    group: Group
    length: int = 0
    entries: int = 0
    matches: list[Match] = field(default_factory=list)
    refused: bool = False
    """Whether the newest entries may not be read from their end."""
    ended: bool = False
    """Whether the end was reached: what is settled meanwhile is not missed."""

    @property
    def whole(self) -> bool:
        return self.ended or self.entries >= self.length

    def line(self) -> str:
        """How much was looked at."""
        if self.whole:
            return f"{self.group.stream}: all {self.entries:,} entries were looked at"
        end = "the oldest ones only: this Redis user may not XREVRANGE" if self.refused else "from either end"
        looked_at = f"{self.entries:,} of {self.length:,} entries were looked at"
        return f"{self.group.stream}: {looked_at}, {end}; --scan looks at more"


async def look(redis: "Redis", group: Group, target: Target, most: int) -> Looked:
    """Read at most `most` entries from the oldest on, and as many from the newest back."""
    looked = Looked(group, int(await redis.xlen(group.stream)))
    last = "0-0"
    async for id_, payload in _entries(redis, group.stream, most, backwards=False):
        last = id_
        _match(looked, target, id_, payload, looked.entries)
        looked.entries += 1
    looked.ended = looked.entries < most
    if looked.entries >= most and looked.length > most:
        back = 0
        try:
            async for id_, payload in _entries(redis, group.stream, most, backwards=True):
                if _position(id_) <= _position(last):
                    break
                back += 1
                _match(looked, target, id_, payload, looked.length - back)
        except NoPermissionError:  # an older deploy/redis.acl
            looked.refused = True
        looked.entries += back
    looked.matches.sort(key=lambda match: _position(match.id))
    return looked


async def _entries(redis: "Redis", stream: str, most: int, *, backwards: bool) -> AsyncIterator[tuple[str, bytes]]:
    at, page, left = ("+" if backwards else "-"), 64, most
    while left > 0:
        asked = min(page, left)
        found: Any = await (
            redis.xrevrange(stream, max=at, count=asked) if backwards else redis.xrange(stream, min=at, count=asked)
        )
        for id_, fields in found:
            yield id_.decode(), fields.get(b"event", b"")
        if len(found) < asked:
            return
        left -= len(found)
        at = f"({found[-1][0].decode()}"
        size = sum(len(value) for _, fields in found for value in fields.values())
        page = max(1, len(found) * MOST_BYTES // size) if size > MOST_BYTES else min(PAGE, page * 2)


def _match(looked: Looked, target: Target, id_: str, payload: bytes, before: int) -> None:
    if target.did.encode() not in payload or target.rkey.encode() not in payload:
        return
    body = loaded(payload)
    if body is not None and names(target, body):
        looked.matches.append(Match(id_, payload, body, before))


async def speed(redis: "Redis", groups: Sequence[Group], interval_s: float) -> dict[Group, tuple[Queue, float | None]]:
    """The queue of each group, and how many entries a second it settles; None where that is not known."""
    counts: dict[Group, list[Count]] = {group: [] for group in groups}
    queues: dict[Group, Queue] = {}
    for look_again in (False, True):
        if look_again:
            if interval_s <= 0:
                break
            await asyncio.sleep(interval_s)
        for group in groups:
            found = queues[group] = await queue(redis, group)
            counts[group].append(Count(time.monotonic(), found.added, found.left))
    return {group: (queues[group], rates(counts[group]).out) for group in groups}


async def facts_of(redis: "Redis", looked: Looked, found: Queue, rate: float | None, database: Tables) -> list[Fact]:
    """What each message is: waiting for its turn, in work, or done; and what it would change."""
    facts: list[Fact] = []
    groups: list[Any] = await redis.xinfo_groups(looked.group.stream) if looked.matches else []
    mine = next((one for one in groups if one["name"] == looked.group.name.encode()), None)
    delivered = _position(mine["last-delivered-id"].decode()) if mine is not None else (0, 0)
    await database.look_up(
        f"at://{m.body['did']}/{m.body.get('collection')}/{m.body.get('rkey')}" for m in looked.matches
    )
    for match in looked.matches[-MOST_SHOWN:]:
        stream, kind = looked.group.stream, match.body.get("type")
        details: dict[str, Any] = {"stream": stream, "id": match.id, "type": kind, "rev": match.body.get("rev")}
        what = f"{kind} in {stream}, entry {match.id}"
        fate = judged(match, stream, database)
        if fate is not None:
            details["nothing_will_change"] = fate[1]
        if _position(match.id) > delivered:
            ahead = match.before - max(0, found.length - found.undelivered)
            behind = looked.length - match.before - 1
            # the group went on since the stream was read, and others added to it: each bounds the place
            place = max(1, min(ahead + 1, found.undelivered - behind, found.undelivered))
            eta = place / rate if rate else None
            details |= {"position": place, "eta_s": None if eta is None else round(eta, 1)}
            due = f"due in about {_duration(eta)}" if eta is not None else "the group does not move now: no ETA"
            facts.append(
                Fact("queued", f"queued: {what}, number {place:,} of {found.undelivered:,}; {due}", match.ms, details)
            )
        else:
            pending: Any = await redis.xpending_range(stream, looked.group.name, min=match.id, max=match.id, count=1)
            if pending:
                (one,) = pending
                consumer = one["consumer"].decode(errors="replace")
                idle_s, times = one["time_since_delivered"] / 1000, one["times_delivered"]
                details |= {"consumer": consumer, "idle_s": idle_s, "deliveries": times}
                text = f"pending: {what}, with {consumer} for {_duration(idle_s)}, delivered {quantity(times, 'time')}"
                facts.append(Fact("pending", text, match.ms, details))
            else:
                text = f"acknowledged, but still in the stream: {what}"
                facts.append(Fact("acknowledged", text, match.ms, details))
        if fate is not None:
            facts.append(Fact(fate[0], fate[1], match.ms, {"stream": stream, "id": match.id}))
    if len(looked.matches) > MOST_SHOWN:
        database.notes.append(
            f"{looked.group.stream}: only the newest {MOST_SHOWN} of {len(looked.matches):,} are shown"
        )
    return facts


def judged(match: Match, stream: str, database: Tables) -> tuple[Any, str] | None:
    """Whether a message will change nothing: state and reason; None: it will, as far as can be known."""
    (event,) = _native.decode_events([match.payload], [min(max(match.ms, time.time_ns() // 1_000_000), LATEST_MS)])
    if isinstance(event, Reject):
        return "refused", f"it will be a dead letter: {event.cause}: {event.detail}"
    if isinstance(event, Ignored):
        return "ignored", f"it will be ignored: {event.reason}"
    assert isinstance(event, Event)
    if event.uri is not None and not database.target.is_kept:
        return "ignored", "it will be ignored: records of this collection are not indexed"
    if event.uri is not None:
        if stale := database.is_stale(event.uri, event.rev, event.cid or "", event.time):
            return "stale", f"stale: {stale}"
        (fate,) = fold([event], World(""), "off", backfill="backfill" in stream).fates
        if fate == "not_its_own":
            return "ignored", "it will be ignored: the record is not its owner's to write (not_its_own)"
    return None


def _position(id_: str) -> tuple[int, int]:
    ms, _, sequence = id_.partition("-")
    return int(ms), int(sequence or 0)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:,.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:,.0f} min"
    return f"{seconds / 3600:,.1f} h"
