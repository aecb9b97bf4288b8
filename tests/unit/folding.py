"""Messages folded in memory, and the tables that they give: no database, no clock.

All messages are one batch on an empty database, so what a test says of a history is said of the whole of it at once;
to look between two messages, fold the first ones alone.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Any, cast

from indexer._native import Event, decode_events
from indexer.fold.apply import Folded, fold
from indexer.fold.notifications import Notifications, speaks
from indexer.fold.record_type import Notice, Row, Table, Version
from indexer.fold.world import World
from indexer.records import RECORDS
from indexer.records.post.gates import THREAD_GATE, ask_for_rules, rules_of, thread_gate_of

NOW = "2222-02-02T02:22:22.222Z"
"""The wall clock of every fold; the reference ran with this one (tests/oracle/README.md)."""
CLOCK_MS = 1_792_000_000_000
"""October 2026, so that no rev of a test lies in the future."""

Rows = list[dict[str, Any]]


@dataclass
class Tables:
    """What the messages left."""

    world: World
    folded: Folded
    rows: dict[str, Rows]

    def __getitem__(self, table: str) -> Rows:
        """The rows of a table in the order of their primary keys."""
        return self.rows.get(table, [])

    def uris(self, table: str) -> list[str]:
        return [row["uri"] for row in self[table]]

    @property
    def duplicates(self) -> dict[str, str]:
        """The rows of `duplicate_record`: URI to the record that it points at."""
        return {
            uri: group.indexed
            for group in self.world.groups.values()
            for uri in group.revs
            if group.indexed is not None and uri != group.indexed
        }

    @property
    def notices(self) -> list[Notice]:
        """The rows of `notification`, in the order of writing."""
        return [notice for about in self.world.notices.values() for notice in about]

    @property
    def told(self) -> list[tuple[str, str, str | None]]:
        """Recipient, reason and subject of each notification."""
        return [(notice.recipient, notice.reason, notice.subject) for notice in self.notices]

    def count(self, aggregate: str, column: str, key: str) -> int:
        """A counter, as the rows make it."""
        tables = {table for kind in RECORDS.values() for table in (*kind.tables, *kind.attached_tables)}
        return sum(
            1
            for table in tables
            for counter in table.counters
            if (counter.aggregate, counter.column) == (aggregate, column)
            for row in self[table.name]
            if row[counter.by] == key and not (counter.unless and row[counter.unless])
        )


def events_of(payloads: tuple[bytes, ...]) -> list[Event]:
    """Decode messages of which none may be refused or ignored."""
    events = []
    for payload, result in zip(payloads, decode_events(payloads, [CLOCK_MS] * len(payloads)), strict=True):
        assert isinstance(result, Event), f"{getattr(result, 'cause', 'ignored')}: {payload.decode()[:500]}"
        events.append(result)
    return events


def tables_after(*payloads: bytes, notifications: Notifications = "live", backfill: bool = False) -> Tables:
    """Fold messages as one batch on an empty database."""
    events = events_of(payloads)
    world = World(NOW)
    ask(world, events, notifications, backfill=backfill)
    folded = fold(events, world, notifications, backfill=backfill)
    return Tables(world, folded, _rows(world))


def ask(world: World, events: list[Event], notifications: Notifications, *, backfill: bool) -> None:
    """Fill in the questions; an empty database has no answers."""
    gates: dict[str, list[dict[str, Any]]] = {}
    posts: list[Version] = []
    for event in events:
        kind = RECORDS.get(event.collection or "")
        if kind is None or event.kind == "delete":
            continue
        version = cast(Version, event)
        if kind.collection == THREAD_GATE:
            gates.setdefault(version.uri, []).append(version.value)
        if kind.asks is not None:
            is_backfill = backfill if event.backfill is None else event.backfill
            world.questions.tells = speaks(notifications, event.kind, is_backfill=is_backfill)
            kind.asks(version, world.questions)
            posts.append(version)
    for version in posts:
        reply = version.value.get("reply")
        root = reply["root"]["uri"] if reply else version.uri
        if reply:
            rules = rules_of(gates.get(thread_gate_of(root) or "", ()))
            ask_for_rules(version.creator, root, rules, world.questions)


def _rows(world: World) -> dict[str, Rows]:
    rows: dict[str, Rows] = {
        "record": [
            {
                "uri": uri,
                "cid": stored.cid,
                "did": uri.split("/")[2],
                "json": stored.json,
                "rev": stored.rev,
                "indexedAt": stored.indexed_at,
            }
            for uri, stored in world.records.items()
        ]
    }

    def add(table: Table, row: Row) -> None:
        rows.setdefault(table.name, []).append(dict(zip(table.columns, row, strict=True)))

    for uri, kind in world.indexed.items():
        group = world.group_of.get(uri)
        if world.is_live(uri) and (kind.duplicate_key is None or (group is not None and group.indexed == uri)):
            for table, row in kind.rows(world.versions[uri], world):
                add(table, row)
    for uri, kind in world.attached.items():
        if world.is_live(uri):
            for table, row in kind.attached(world.versions[uri], world):
                add(table, row)
    for name, found in rows.items():
        found.sort(key=lambda row: tuple(str(value) for value in row.values()))
        keys = Counter((row.get("uri") or row["postUri"], row.get("position"), row.get("embedUri")) for row in found)
        assert max(keys.values(), default=1) == 1, f"a primary key of {name} twice"
    return rows
