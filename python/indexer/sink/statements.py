"""The text of every statement: written by hand in `queries.sql`, generated for the tables of records."""

from collections.abc import Collection
from importlib.resources import files

from indexer.configuration.values import quoted
from indexer.fold.record_type import Counter, Key, Table

STATEMENT_TIMEOUT_MS = 60_000
"""No statement runs longer. The longest honest one removes the reposts' feed items of a post that many reposted."""
LOCK_TIMEOUT_MS = 20_000
"""Longer than a batch of a neighbour; what waits longer rolls back and tries again."""
IDLE_TIMEOUT_MS = 15_000
"""Who stands still in a transaction loses it: its locks would hold up the neighbours. The longest honest pause is the
fold of a batch, a fraction of a second."""

AGGREGATE_KEYS = {"post_agg": "uri", "profile_agg": "did"}
_SQL_TYPES = {"text": "text", "jsonb": "text", "boolean": "boolean"}


class Statements:
    """Statements with the AppView's schema filled in, by name (`queries.sql`) and by table."""

    def __init__(self, schema: str, absent: Collection[tuple[str, str]] = ()) -> None:
        """`absent` names tables and columns of them that this database does not have (`Findings.absent`)."""
        self._absent = frozenset(absent)
        self.schema_name = schema
        self.schema = quoted(schema)
        self._named = self._statements_of("indexer.sink")
        self._inserts: dict[str, str] = {}

    def _statements_of(self, package: str) -> dict[str, str]:
        """The statements of `queries.sql` in a package, by name."""
        text = files(package).joinpath("queries.sql").read_text(encoding="utf-8")
        parts = (part.partition("\n") for part in text.split("-- name: ")[1:])
        return {name: self._fill(body) for name, _, body in parts}

    def _fill(self, body: str) -> str:
        lines = [line for line in body.splitlines() if not line.startswith("--")]
        return (
            "\n".join(lines)
            .strip()
            .replace("{schema}", self.schema)
            .replace("{statement_timeout_ms}", str(STATEMENT_TIMEOUT_MS))
            .replace("{lock_timeout_ms}", str(LOCK_TIMEOUT_MS))
            .replace("{idle_timeout_ms}", str(IDLE_TIMEOUT_MS))
        )

    def __getitem__(self, name: str) -> str:
        return self._named[name]

    def written(self, table: Table) -> dict[str, str]:
        """The columns of a table that this database has, with their types."""
        return {name: kind for name, kind in table.columns.items() if (table.name, name) not in self._absent}

    def insert(self, table: Table) -> str:
        """Insert rows given as one array per column; a row that collides with another is left out."""
        known = self._inserts.get(table.name)
        if known is None:
            known = self._inserts[table.name] = self._insert(table)
        return known

    def claim(self, table: Table) -> str:
        """As `insert`; returns the owners of the rows that found their place free."""
        return f'{self.insert(table)} RETURNING "{table.owner}"'

    def _insert(self, table: Table) -> str:
        written = self.written(table)
        arrays = [f"${n}::{_SQL_TYPES[kind]}[]" for n, kind in enumerate(table.columns.values(), 1)]
        values = [f'u."{name}"' + ("::jsonb" if kind == "jsonb" else "") for name, kind in written.items()]
        return (
            f'INSERT INTO {self.schema}."{table.name}" ({_list(tuple(written))})\n'
            f"SELECT {', '.join(values)} FROM unnest({', '.join(arrays)}) u ({_list(tuple(table.columns))})\n"
            "ON CONFLICT DO NOTHING"
        )

    def delete(self, table: Table) -> str:
        """Delete the rows of records; returns what the counters of the table look at, in the order of `counted`."""
        returning = ", ".join(f'"{name}"' for name in counted(table)) or "1"
        return f'DELETE FROM {self.schema}."{table.name}" WHERE "{table.owner}" = ANY($1::text[]) RETURNING {returning}'

    def recount(self, table: Table, counter: Counter) -> str:
        """Set a counter to the number of rows that it counts, after the aggregates' rows were locked."""
        key = f"a.{AGGREGATE_KEYS[counter.aggregate]}"
        return (
            f'UPDATE {self.schema}."{counter.aggregate}" a SET "{counter.column}" = (\n'
            f'    SELECT count(*) FROM {self.schema}."{table.name}" t WHERE {counts_for(counter, key)}\n'
            f") WHERE {key} = ANY($1::text[])"
        )

    def rows_behind(self, table: str, column: str) -> str:
        """A page of a unique key, in its order."""
        rows = f'SELECT "{column}" FROM {self.schema}."{table}" WHERE "{column}" > $1::text'
        return f'{rows} ORDER BY "{column}" LIMIT $2::int'

    def keys_of_rows(self, table: Table, columns: Key) -> str:
        """URI and key columns of rows by their URI."""
        return f'SELECT uri, {_list(columns)} FROM {self.schema}."{table.name}" WHERE uri = ANY($1::text[])'

    def rows_of_keys(self, table: Table, columns: Key) -> str:
        """URI and key columns of rows by their (unique) key."""
        arrays = ", ".join(f"${n}::text[]" for n, _ in enumerate(columns, 1))
        match = " AND ".join(f't."{column}" = k."{column}"' for column in columns)
        return (
            f"SELECT t.uri, {_list(columns, 't.')} FROM unnest({arrays}) k ({_list(columns)})\n"
            f'JOIN {self.schema}."{table.name}" t ON {match}'
        )


def counted(table: Table) -> Key:
    """The columns that decide what a row counts for."""
    names = [name for counter in table.counters for name in (counter.by, counter.unless) if name is not None]
    return tuple(dict.fromkeys(names))


def counts_for(counter: Counter, key: str) -> str:
    """Which rows `t` of its table a counter counts for a key (records.md 8; DIV-15 for quotes)."""
    unless = f' AND NOT coalesce(t."{counter.unless}", false)' if counter.unless else ""
    return f't."{counter.by}" = {key}{unless}'


def _list(columns: Key, prefix: str = "") -> str:
    return ", ".join(f'{prefix}"{column}"' for column in columns)
