"""Rows that the pipeline made and rows that are there: what differs, before anybody asks whether it may."""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from indexer.commands.shadow.staging import Layout
from indexer.configuration.values import quoted
from indexer.connections.database import Connection
from indexer.fold.record_type import Table
from indexer.sink.tables import NOTIFICATION, RECORD
from indexer.sink.tables import TABLES as RECORD_TABLES

Kind = Literal["missing row", "surplus row", "column"]
"""Of the incumbent's rows: ours has one more, one less, or another value."""
FLAGS = frozenset({"invalidReplyRoot", "violatesThreadGate", "violatesEmbeddingRules", "hasThreadGate", "hasPostGate"})
"""Columns of `post` in which NULL and false are the same to every reader."""
_GATE_FLAGS = {"hasThreadGate": "boolean", "hasPostGate": "boolean"}
Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that is not as our pipeline has it."""

    table: str
    kind: Kind
    uri: str
    """The record (or account) that the row belongs to."""
    key: tuple[str, ...]
    column: str | None
    ours: Any
    theirs: Any
    """A value of the column, or the whole row; None where there is none."""

    @property
    def place(self) -> tuple[object, ...]:
        """What it is about, whatever the values."""
        return self.table, self.kind, self.key, self.column


async def differing(
    connection: Connection,
    layout: Layout,
    table: str,
    owner: str,
    columns: Collection[str],
    owners: Collection[str],
) -> list[Difference]:
    """Compare the rows of some owners, by primary key."""
    key = layout.keys.get(table, (owner,))
    shown = [quoted(name) for name in dict.fromkeys([*key, owner, *columns])]
    rows = await connection.fetch(
        f"""SELECT to_jsonb(o)::text, to_jsonb(t)::text
        FROM (SELECT {", ".join(shown)} FROM {layout.copy(table)} WHERE {quoted(owner)} = ANY($1::text[])) o
        FULL JOIN (SELECT {", ".join(shown)} FROM {layout.name(table)} WHERE {quoted(owner)} = ANY($1::text[])) t
        ON {" AND ".join(f"o.{quoted(name)} = t.{quoted(name)}" for name in key)}
        WHERE o IS DISTINCT FROM t""",
        sorted(owners),
    )
    found: list[Difference] = []
    for ours, theirs in rows:
        mine, other = _loaded(ours), _loaded(theirs)
        row = mine or other or {}
        at, uri = tuple(str(row[name]) for name in key), str(row[owner])
        if mine is None or other is None:
            kind: Kind = "missing row" if other is None else "surplus row"
            found.append(Difference(table, kind, uri, at, None, mine, other))
            continue
        for name in columns:
            if _same(table, name, mine[name], other[name]):
                continue
            found.append(Difference(table, "column", uri, at, name, mine[name], other[name]))
    return found


async def records_differing(connection: Connection, layout: Layout, uris: Collection[str]) -> list[Difference]:
    """Everything that belongs to these records: `record`, the typed tables, duplicates, notifications."""
    found = await differing(connection, layout, "record", "uri", list(RECORD.columns), uris)
    found += await differing(
        connection, layout, "duplicate_record", "uri", ["uri", "cid", "duplicateOf", "indexedAt"], uris
    )
    for table in RECORD_TABLES:
        found += await differing(connection, layout, table.name, table.owner, compared(layout, table), uris)
    return found + await _notifications(connection, layout, uris)


def compared(layout: Layout, table: Table) -> list[str]:
    """The columns that the indexer writes; what else a table has is somebody else's."""
    flags = _GATE_FLAGS if table.name == "post" else {}
    return [*layout.staged.written(table), *flags]


async def _notifications(connection: Connection, layout: Layout, uris: Collection[str]) -> list[Difference]:
    names = list(NOTIFICATION.columns)
    columns = ", ".join(quoted(name) for name in names)
    sides: list[Counter[tuple[Any, ...]]] = []
    for table in (layout.copy("notification"), layout.name("notification")):
        rows = await connection.fetch(
            f'SELECT {columns} FROM {table} WHERE "recordUri" = ANY($1::text[])', sorted(uris)
        )
        # the wall clock
        sides.append(Counter((*tuple(row)[:-1], "*" if row["reason"] == "unverified" else row[-1]) for row in rows))
    ours, theirs = sides
    missing, surplus = ours - theirs, theirs - ours
    found: list[Difference] = []
    # one that differs in one column is that column, not two rows
    for row in list(missing):
        for other in list(surplus):
            apart = [n for n, (a, b) in enumerate(zip(row, other, strict=True)) if a != b]
            if len(apart) == 1 and row[1] == other[1]:
                number = min(missing[row], surplus[other])
                missing[row] -= number
                surplus[other] -= number
                (at,) = apart
                found += [_told("column", row, names[at], row[at], other[at])] * number
                surplus += Counter()
                break
    found += [_told("missing row", row, None, _named(names, row), None) for row in missing.elements()]
    found += [_told("surplus row", row, None, None, _named(names, row)) for row in surplus.elements()]
    return found


def _told(kind: Kind, row: tuple[Any, ...], column: str | None, ours: Any, theirs: Any) -> Difference:
    did, uri, _, _, reason, subject, _ = row
    return Difference("notification", kind, uri, (uri, did, reason, str(subject)), column, ours, theirs)


def _named(names: list[str], row: tuple[Any, ...]) -> dict[str, Any]:
    return dict(zip(names, row, strict=True))


def _loaded(text: str | None) -> dict[str, Any] | None:
    return None if text is None else orjson.loads(text)


def _same(table: str, column: str, ours: Any, theirs: Any) -> bool:
    if table == "post" and column in FLAGS:
        return bool(ours) == bool(theirs)
    return bool(ours == theirs)
