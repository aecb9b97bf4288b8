"""What account and identity events write, in the batch's transaction: look-ups to do, statuses, deletions to do.

Always in this order: `handle_lookup`, `account_status`, `actor`, `account_deletion`, keys sorted. That of the handle
worker is the same, so nobody waits in a circle. Rows that are there are locked before they are judged; where a new one
turns out to be there already, a neighbour was faster and the batch starts again (`MovedError`).
"""

from collections import Counter
from collections.abc import Sequence

import asyncpg

from indexer._native import Event
from indexer.connections.database import Connection
from indexer.fold.accounts import Known, Wanted, judge, standings
from indexer.sink.faults import MovedError
from indexer.sink.statements import Statements


async def write_accounts(
    connection: Connection, statements: Statements, look_ups: Sequence[Event], accounts: Sequence[Event]
) -> Counter[tuple[str, str]]:
    """Write what these events ask for, in order of the stream; the rows of the AppView's tables by table and change."""
    rows: Counter[tuple[str, str]] = Counter()
    if look_ups:
        await _ask_for_handles(connection, statements, look_ups)
    if accounts:
        statuses, deletions, kept = standings(accounts)
        news = [(did, new.time, new.at_ms, new.status or None) for did, new in sorted(statuses.items())]
        won = await connection.fetch(statements["upsert_statuses"], *_columns(news)) if news else []
        if kept:
            added = await connection.execute(statements["add_actors"], *_columns(sorted(kept.items())))
            rows["actor", "insert"] += _touched(added)
        if won:
            rows["actor", "update"] += _touched(
                await connection.execute(statements["set_statuses"], *_columns([tuple(row) for row in won]))
            )
        if deletions:
            asked = [(did, new.time, new.at_ms) for did, new in sorted(deletions.items())]
            await connection.execute(statements["ask_deletions"], *_columns(asked))
        await withdraw_deletions(connection, statements, {event.did for event in accounts})
    return +rows


async def withdraw_deletions(connection: Connection, statements: Statements, dids: set[str]) -> None:
    """Take back deletions that a newer account event makes void, as long as nobody has begun with them."""
    await connection.execute(statements["withdraw_deletions"], sorted(dids))


async def _ask_for_handles(connection: Connection, statements: Statements, events: Sequence[Event]) -> None:
    actors, queued = await _known(connection, statements, {event.did for event in events})
    waiting: dict[str, Wanted] = {}
    if queued:
        # locked first and then read again: a look-up that was done meanwhile shows in `actor`
        rows = await connection.fetch(statements["lock_look_ups"], sorted(queued))
        waiting = {did: Wanted(*times) for did, *times in rows}
        actors |= (await _known(connection, statements, queued))[0]
    asked, moved = judge(events, actors, waiting)
    if asked:
        dids = sorted(asked)
        times = [asked[did] for did in dids]
        try:
            await connection.execute(statements["ask_look_ups"], dids, times)
        except asyncpg.UniqueViolationError as error:
            raise MovedError("a look-up was asked for in the meantime") from error
    if moved:
        await connection.execute(statements["move_look_ups"], *_columns([(did, *moved[did]) for did in moved]))


async def _known(connection: Connection, statements: Statements, dids: set[str]) -> tuple[dict[str, Known], set[str]]:
    """Actors, and of which DIDs a look-up waits."""
    rows = await connection.fetch(statements["known_actors"], sorted(dids))
    actors = {did: Known(handle, indexed_at) for did, waits, handle, indexed_at in rows if not waits}
    return actors, {did for did, waits, _, _ in rows if waits}


def _columns(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _touched(status: str) -> int:
    return int(status.rpartition(" ")[2])
