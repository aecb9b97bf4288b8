"""The streams: groups, consumers, and entries that nobody will ever index. Of long lists the oldest are looked at."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from indexer.commands.doctor.finding import Fact, Finding, Unseen, Yielded
from indexer.commands.doctor.subject import FOREIGN_S, Subject
from indexer.commands.handover.holdings import Group
from indexer.commands.status.implementations import looks_like
from indexer.commands.status.queues import Queue, queue
from indexer.commands.status.texts import duration
from indexer.lane.pending import LOOK_AT, Consumer

AREA = "streams"
SAMPLED = 100
"""Entries of a stream or a pending list that are looked at, the oldest."""
OFTEN = 10
"""Deliveries of an entry that was never acknowledged, from which on it will not be by itself."""
AGAIN_S = 0.5
"""Between an acknowledgement and the deletion that follows it much less time passes."""
LISTED = 5
SHOWN = 30
"""Consumers that are shown one by one."""
WATCH_S = 3.0
"""Living readers ask again within a second, or have entries acknowledged within this time."""
LOOK_S = 0.5
JITTER_S = 0.3


async def groups(subject: Subject) -> AsyncIterator[Yielded]:
    """What there is, and who else takes entries away."""
    for group in subject.groups:
        found = await _queue(subject, group)
        if found is None:
            yield Finding(
                f"{AREA}.not_a_stream",
                f"the key {group.stream} is not a stream",
                "reading it fails, and its lane halts",
                "correct INDEXER_STREAMS or INDEXER_LABEL_STREAM, or the database number in REDIS_HOST",
            )
            continue
        others = ", ".join(found.other_groups)
        if found.other_groups and found.has_group:
            yield Finding(
                f"{AREA}.two_groups",
                f"{group.stream} has the groups {group.name} and {others}",
                "every indexer deletes what it has acknowledged, so each group misses what the other has taken",
                f"let all indexers read in {group.name} (INDEXER_GROUP, INDEXER_LABEL_GROUP); rsky reads labels in "
                "the group of events. Then XGROUP DESTROY the group that nobody uses",
            )
        elif found.other_groups:
            yield Finding(
                f"{AREA}.other_group",
                f"{group.stream} is read in the group {others}, and {group.name} is not there",
                f"a start would make the group {group.name} at the oldest entry: two groups take each other's entries",
                "set INDEXER_GROUP or INDEXER_LABEL_GROUP to the group that is there",
            )
        about = "" if found.is_exact else "about "
        state = (
            f"{about}{found.undelivered:,} undelivered, {found.pending:,} pending" if found.has_group else "no group"
        )
        yield Fact(AREA, f"{group.stream}, group {group.name}: {found.length:,} entries, {state}")


async def consumers(subject: Subject) -> AsyncIterator[Yielded]:
    """Who reads, who is dead, and whether our name is free."""
    overdue = {name: lease.overdue_s for name, lease in (subject.leases or {}).items()}
    seen = await _consumers(subject)
    for (group, name), one in list(seen.items())[:SHOWN]:
        kind = looks_like(one, overdue, (), None)
        yield Fact(AREA, f"{group.stream}: {name} ({kind}) holds {one.pending:,}, asked {duration(one.idle_s)} ago")
    if len(seen) > SHOWN:
        yield Fact(AREA, f"{len(seen) - SHOWN} more consumers (`indexer status`)")
    if subject.leases is None:
        yield Unseen(AREA, "which consumers are ours", "indexer.lease cannot be read")
        return
    for (group, _), one in seen.items():
        if fault := _dead(subject, group, one, looks_like(one, overdue, (), None)):
            yield fault
    suspects = {key: one for key, one in seen.items() if key[1] not in overdue and one.idle_s < FOREIGN_S}
    foreign = await _living(subject, suspects)
    if foreign:
        await subject.read_leases()  # an instance of ours may just have started
        foreign -= subject.leases.keys()
    if fault := _name(subject, foreign):
        yield fault
    others = sorted(foreign - {subject.settings.get("consumer", "")})
    if others and subject.settings.get("aggregates") == "delta":
        yield Finding(
            f"{AREA}.delta_beside_others",
            f"INDEXER_AGGREGATES is delta, and other indexers read beside: {', '.join(others[:LISTED])}",
            "they write counts that they have counted, over which ours adds what is in them already: counters drift",
            "set INDEXER_AGGREGATES=recount as long as they run",
        )


Seen = dict[tuple[Group, str], Consumer]


async def _consumers(subject: Subject) -> Seen:
    """All consumers; none of what is not there, or no stream."""
    found: Seen = {}
    for group in subject.groups:
        state = await _queue(subject, group)
        for one in state.consumers if state else ():
            found[group, one.name.decode(errors="replace")] = one
    return found


async def _living(subject: Subject, suspects: Seen) -> set[str]:
    """Those that read, or have something acknowledged, before our eyes: also who has stopped was not idle for long."""
    living: set[str] = set()
    first = time.monotonic()
    while suspects.keys() and time.monotonic() - first < WATCH_S:
        await asyncio.sleep(LOOK_S)
        now, elapsed_s = await _consumers(subject), time.monotonic() - first
        for key, was in list(suspects.items()):
            one = now.get(key, was)
            if one.idle_s < was.idle_s + elapsed_s - JITTER_S or one.pending != was.pending:
                living.add(key[1])
                del suspects[key]
    return living


def _dead(subject: Subject, group: Group, one: Consumer, kind: str) -> Finding | None:
    """Somebody who holds entries, reads no more, and is not inherited."""
    name = one.name.decode(errors="replace")
    idle_ms = subject.settings.get("claim_idle_ms", 0)
    patience_s = (idle_ms or 600_000) / 1000
    if not one.pending or kind == "ours" or one.idle_s < patience_s or (idle_ms and subject.living):
        return None
    return Finding(
        f"{AREA}.dead_consumer",
        f"{group.stream}: {name} holds {one.pending:,} entries and has read nothing for {duration(one.idle_s)}",
        "nobody takes them over: "
        + ("no instance of ours runs" if idle_ms else "INDEXER_CLAIM_IDLE_MS is 0")
        + "; TypeScript indexers never do",
        f"start an instance with INDEXER_CLAIM_IDLE_MS above 0, or `indexer takeover --consumer {name}`",
    )


def _name(subject: Subject, foreign: set[str]) -> Finding | None:
    """Whether somebody else has our name."""
    name = subject.settings.get("consumer")
    lease = (subject.leases or {}).get(name or "")
    if name in foreign:
        where = "a consumer without a lease, so none of ours, reads under it"
    elif lease is not None and lease.overdue_s < 0 and lease.host != socket.gethostname():
        where = f"process {lease.pid} on {lease.host} renews its lease"
    else:
        return None
    return Finding(
        f"{AREA}.name_in_use",
        f"the consumer name {name} is in use: {where}",
        "two processes under one name take each other's messages; `run` refuses it with 78 where it is one of ours",
        "give each process an INDEXER_CONSUMER of its own",
    )


async def pending(subject: Subject) -> AsyncIterator[Yielded]:
    """Of the oldest pending entries: bodies that are gone, and deliveries that come to nothing."""
    for group in subject.groups:
        found = await _queue(subject, group)
        if found is None or not found.pending:
            continue
        redis: Any = subject.redis
        entries = await redis.xpending_range(group.stream, group.name, min="-", max="+", count=SAMPLED)
        ids = [entry["message_id"] for entry in entries]
        gone = await _without_body(redis, group.stream, ids)
        # who acknowledged meanwhile has deleted them, too
        still: Any = await redis.xpending_range(group.stream, group.name, min=ids[0], max=ids[-1], count=SAMPLED)
        if vanished := gone & {entry["message_id"] for entry in still}:
            yield Finding(
                f"{AREA}.vanished",
                f"{group.stream}: of the {len(ids)} oldest pending entries {len(vanished)} have no body any more",
                "somebody trimmed the stream or deleted them before they were indexed (rsky trims): they are lost",
                "stop what trims the stream; fetch what is missing with a backfill. An instance acknowledges "
                "them, counted as `vanished`",
            )
        often = [entry for entry in entries if entry["times_delivered"] >= OFTEN]
        if often:
            most = max(entry["times_delivered"] for entry in often)
            yield Finding(
                f"{AREA}.delivered_often",
                f"{group.stream}: {len(often)} pending entries were delivered {OFTEN} times or more (most: {most})",
                "the indexer that holds them fails on them each time; held by "
                + ", ".join(sorted({entry["consumer"].decode(errors="replace") for entry in often})[:LISTED]),
                "stop that indexer and `indexer takeover --consumer NAME`: what cannot be indexed becomes a dead "
                "letter",
            )


async def orphans(subject: Subject) -> AsyncIterator[Yielded]:
    """Of the oldest entries: those that were delivered, and that nobody holds."""
    for group in subject.groups:
        found = await _queue(subject, group)
        if found is None or not found.has_group or found.length <= found.undelivered:
            continue
        suspects = await _orphans(subject, group)
        if suspects:
            await asyncio.sleep(AGAIN_S)
            suspects &= await _orphans(subject, group)
        if suspects:
            yield Finding(
                f"{AREA}.orphans",
                f"{group.stream}: of the {SAMPLED} oldest entries {len(suspects)} were delivered, and nobody holds "
                "them",
                "somebody acknowledged without deleting them, or deleted a consumer with what it held: nobody will "
                "read them again, and they take memory",
                f"`XGROUP SETID {group.stream} {group.name} 0` delivers all that is in the stream once more, which "
                "changes nothing for what is indexed",
            )


async def _orphans(subject: Subject, group: Group) -> set[bytes]:
    redis: Any = subject.redis
    details: Any = await redis.xinfo_groups(group.stream)
    last = next((one["last-delivered-id"] for one in details if one["name"] == group.name.encode()), b"0-0")
    ids: list[bytes] = []
    low = "-"
    while len(ids) < SAMPLED:
        page: Any = await redis.xrange(group.stream, min=low, max=last.decode(), count=LOOK_AT)
        ids += [id_ for id_, _ in page]
        if len(page) < LOOK_AT:
            break
        low = f"({ids[-1].decode()}"
    if not ids:
        return set()
    held: set[bytes] = set()
    low = ids[0].decode()
    while True:
        page = await redis.xpending_range(group.stream, group.name, min=low, max=ids[-1].decode(), count=1000)
        held |= {entry["message_id"] for entry in page}
        if len(page) < 1000:
            return set(ids) - held
        low = f"({page[-1]['message_id'].decode()}"


async def _without_body(redis: Any, stream: str, ids: list[bytes]) -> set[bytes]:
    gone: set[bytes] = set()
    for start in range(0, len(ids), LOOK_AT):
        part = ids[start : start + LOOK_AT]
        async with redis.pipeline(transaction=False) as pipeline:
            for id_ in part:
                pipeline.xrange(stream, min=id_.decode(), max=id_.decode())
            found = await pipeline.execute()
        gone |= {id_ for id_, entry in zip(part, found, strict=True) if not entry}
    return gone


async def _queue(subject: Subject, group: Group) -> Queue | None:
    """None where the key holds something else. What may not be read is told by the check of rights."""
    redis: Any = subject.redis
    try:
        return await queue(redis, group)
    except NoPermissionError:
        raise
    except ResponseError as fault:
        if str(fault).startswith("WRONGTYPE"):
            return None
        raise
