"""The writer's statements, and those of `verify` beside them."""

from collections.abc import Collection, Sequence

from indexer.fold.record_type import Table
from indexer.sink.counts import COLUMNS
from indexer.sink.statements import AGGREGATE_KEYS, Statements, counts_for
from indexer.sink.tables import COUNTERS


class VerifyStatements(Statements):
    """See the module."""

    def __init__(self, schema: str, absent: Collection[tuple[str, str]] = ()) -> None:
        super().__init__(schema, absent)
        self._named |= self._statements_of("indexer.commands.verify")

    def wrong_counters(self, aggregate: str, counters: Sequence[str]) -> str:
        """Key, and for each counter its value and the count of its rows, where one differs."""
        key = AGGREGATE_KEYS[aggregate]
        values = [f'coalesce(g."{name}", 0) AS "{name}"' for name in COLUMNS[aggregate]]
        counts = [f'a."{name}" AS v{n}, ({self._rows_of(name, f"a.{key}")}) AS c{n}' for n, name in enumerate(counters)]
        differs = " OR ".join(f"w.v{n} <> w.c{n}" for n, _ in enumerate(counters))
        return (
            f"SELECT * FROM (SELECT a.{key}, {', '.join(counts)} FROM (\n"
            f"SELECT k.key AS {key}, {', '.join(values)} FROM unnest($1::text[]) k (key)\n"
            f'LEFT JOIN {self.schema}."{aggregate}" g ON g.{key} = k.key) a) w WHERE {differs}'
        )

    def _rows_of(self, column: str, key: str) -> str:
        table, counter = COUNTERS[column]
        return f'SELECT count(*) FROM {self.schema}."{table.name}" t WHERE {counts_for(counter, key)}'

    def uncounted(self, table: Table, by: str, aggregate: str) -> str:
        """Of rows by their owner: what they count for, where nothing is counted for it yet."""
        key = AGGREGATE_KEYS[aggregate]
        return (
            f'SELECT t."{table.owner}", t."{by}" FROM {self.schema}."{table.name}" t\n'
            f'WHERE t."{table.owner}" = ANY($1::text[]) AND t."{by}" IS NOT NULL\n'
            f'AND NOT EXISTS (SELECT 1 FROM {self.schema}."{aggregate}" a WHERE a.{key} = t."{by}")'
        )

    def first_rows(self, table: str, column: str) -> str:
        """The first page of a unique key, from the least value on ($1); `rows_behind` reads the next ones."""
        rows = f'SELECT "{column}" FROM {self.schema}."{table}" WHERE "{column}" >= $1'
        return f'{rows} ORDER BY "{column}" LIMIT $2::int'

    def rows(self, table: Table) -> str:
        """Rows by their owner, all columns that are written, in the order of the table."""
        columns = _list(self.written(table))
        return f'SELECT {columns} FROM {self.schema}."{table.name}" WHERE "{table.owner}" = ANY($1::text[])'

    def orphans(self, table: Table) -> str:
        """Owners of rows whose record is not live, and whether there is a row of it at all."""
        return (
            f'SELECT DISTINCT t."{table.owner}", r.uri IS NOT NULL FROM {self.schema}."{table.name}" t\n'
            f'LEFT JOIN {self.schema}.record r ON r.uri = t."{table.owner}"\n'
            f"WHERE t.\"{table.owner}\" = ANY($1::text[]) AND (r.uri IS NULL OR r.json = '' OR r.cid = '')"
        )


def _list(columns: Collection[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
