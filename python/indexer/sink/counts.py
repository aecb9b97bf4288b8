"""How far the aggregates move: by the rows that were really inserted and deleted (design.md, Aggregates)."""

from collections.abc import Callable, Iterable
from typing import Any, Literal

from indexer.connections.database import Connection
from indexer.fold.record_type import Table
from indexer.sink.statements import Statements, counted

Aggregates = Literal["delta", "recount", "off"]
Fetched = Any
"""A row by position: a tuple, or a record of the driver."""

COLUMNS = {
    "post_agg": ("likeCount", "replyCount", "repostCount", "quoteCount"),
    "profile_agg": ("followersCount", "followsCount", "postsCount"),
}
_STATEMENT = {"post_agg": "count_posts", "profile_agg": "count_profiles"}


class Deltas:
    """Changes of counters, by aggregate table, key and column."""

    def __init__(self) -> None:
        self._of: dict[str, dict[str, list[int]]] = {name: {} for name in COLUMNS}

    def inserted(self, table: Table, rows: Iterable[Fetched]) -> None:
        names = list(table.columns)
        self._move(table, rows, names, 1)

    def deleted(self, table: Table, rows: Iterable[Fetched]) -> None:
        """`rows` hold what `Statements.delete` returns."""
        self._move(table, rows, list(counted(table)), -1)

    def _move(self, table: Table, rows: Iterable[Fetched], names: list[str], by: int) -> None:
        rules = [
            (
                self._of[counter.aggregate],
                names.index(counter.by),
                names.index(counter.unless) if counter.unless else None,
                len(COLUMNS[counter.aggregate]),
                COLUMNS[counter.aggregate].index(counter.column),
            )
            for counter in table.counters
        ]
        for row in rows:
            for keys, at, unless, width, column in rules:
                key = row[at]
                if key is None or (unless is not None and row[unless]):
                    continue
                counts = keys.get(key)
                if counts is None:
                    counts = keys[key] = [0] * width
                counts[column] += by

    def forget(self, is_own: Callable[[str], bool]) -> None:
        """Leave out the counters of these keys."""
        for aggregate, keys in self._of.items():
            self._of[aggregate] = {key: counts for key, counts in keys.items() if not is_own(key)}

    async def write(self, connection: Connection, statements: Statements, aggregates: Aggregates) -> dict[str, int]:
        """Apply them, keys sorted, or mark them for counting; returns the rows touched by table."""
        if aggregates == "recount":
            await self._mark(connection, statements)
        if aggregates != "delta":
            return {}
        touched: dict[str, int] = {}
        for aggregate, keys in self._of.items():
            moved = sorted(key for key, counts in keys.items() if any(counts))
            if moved:
                columns = zip(*(keys[key] for key in moved), strict=True)
                sql = statements[_STATEMENT[aggregate]]
                await connection.execute(sql, moved, *(list(column) for column in columns))
                touched[aggregate] = len(moved)
        return touched

    async def _mark(self, connection: Connection, statements: Statements) -> None:
        marks = [
            (column, key)
            for aggregate, keys in self._of.items()
            for key, counts in keys.items()
            for column, count in zip(COLUMNS[aggregate], counts, strict=True)
            if count
        ]
        if marks:
            await connection.execute(statements["mark_dirty"], *(list(column) for column in zip(*marks, strict=True)))
