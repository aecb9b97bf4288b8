"""Events of accounts that were removed: what is not newer than the deletion counts for nothing (design.md)."""

from collections.abc import Sequence

from indexer._native import Event, parse_dates
from indexer.connections.database import Connection
from indexer.sink.statements import Statements


async def without_stale(connection: Connection, statements: Statements, events: Sequence[Event]) -> Sequence[Event]:
    """The events that no removal made stale, in order.

    The removal waits for transactions that asked before it began, so the transaction must have its number by now
    (`take_number`).
    """
    if not events:
        return events
    dids = sorted({event.did for event in events})
    rows = await connection.fetch(statements["removals"], dids)
    removals = {row["did"]: row["removed_ms"] for row in rows}
    if not removals:
        return events
    theirs = [event for event in events if event.did in removals]
    newer = are_newer([event.time for event in theirs], [removals[event.did] for event in theirs])
    stale = {id(event) for event, is_newer in zip(theirs, newer, strict=True) if not is_newer}
    return [event for event in events if id(event) not in stale]


def are_newer(times: Sequence[str | None], bounds_ms: Sequence[int]) -> list[bool]:
    """Which times are later than their bound, as instants; a time that is none, or cannot be read, is not."""
    instants = parse_dates([time or "" for time in times])
    return [instant is not None and instant > bound for instant, bound in zip(instants, bounds_ms, strict=True)]


def rev_after(bound_ms: int) -> str:
    """The least rev that is later than that: a TID (13 characters of a number, microseconds and a clock id)."""
    number = min(max(bound_ms + 1, 0) * 1000, 2**53 - 1) << 10
    return "".join("234567abcdefghijklmnopqrstuvwxyz"[number >> shift & 31] for shift in range(60, -1, -5))
