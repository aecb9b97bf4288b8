"""Write the rows of records as their records say, where they are not so; and which of several duplicates is indexed.

As the writer does: the `record` rows are locked, sorted, with those of all records that share a duplicate key; then the
tables in the writer's order, keys sorted; then the second run for what others did meanwhile.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from indexer.commands.verify.finding import Finding, Look
from indexer.commands.verify.rows import Rows, difference, read
from indexer.connections.database import Connection
from indexer.fold import aturi
from indexer.fold.record_type import Key, Row, Table
from indexer.records import RECORDS
from indexer.sink.derive import DerivedKeys
from indexer.sink.faults import MovedError
from indexer.sink.hanging import Hanging
from indexer.sink.reads import POST, Reads, WidenError
from indexer.sink.statements import Statements
from indexer.sink.tables import TABLES
from indexer.sink.writer import Writer

if TYPE_CHECKING:
    from indexer.commands.verify.mend import Mend

_TABLES = {table.name: table for table in TABLES}


async def rebuild(mend: "Mend", findings: Sequence[Finding]) -> Counter[str]:
    """Mend the records that findings name; returns what changed by class."""
    uris = {one.key for one in findings}
    strays: defaultdict[Table, set[str]] = defaultdict(set)
    for one in findings:
        name, _, what = one.kind.partition(".")
        if what == "orphan" and name in _TABLES:
            strays[_TABLES[name]].add(one.key)

    async def write(connection: Connection) -> tuple[Counter[str], Rows]:
        look = Look(connection, mend.statements, 0)
        return await _once(look, locked, strays)

    locked = set(uris)
    while True:
        try:
            changed, rows = await mend.run(write)
            break
        except WidenError as more:
            locked |= more.uris
    if changed:
        await mend.derive(_keys(rows))
    return changed


async def _once(look: Look, locked: set[str], strays: dict[Table, set[str]]) -> tuple[Counter[str], Rows]:
    uris = sorted(locked)
    there = {row[0] for row in await look.fetch("lock_records", uris)}
    rows = await read(look, uris)
    if rows.records.keys() - there:
        raise MovedError("a record came after its lock was asked for")
    indexed = await _groups(rows, locked)
    await _judge_new_posts(look, rows)
    mender = Mender(look.connection, look.statements, rows, indexed, strays)
    await mender.write()
    absent = sorted(locked - there)
    if len(await look.fetch("without_record", absent)) < len(absent):
        raise MovedError("a record came where only rows of it were")
    return mender.changed, rows


async def _groups(rows: Rows, locked: set[str]) -> dict[str, str]:
    """By URI of a record that can have duplicates: the one of its group that ought to be indexed.

    WidenError where the group has members that are not locked.
    """
    look = rows.look
    keys: defaultdict[tuple[str, Key], set[str]] = defaultdict(set)
    others = {of for _, of, _ in rows.pointing.values()}
    for uri, version in rows.versions.items():
        kind = rows.kind(uri)
        if kind is not None and kind.duplicate_key is not None:
            keys[kind.collection, kind.duplicate_key(version)].add(uri)
    for collection in {collection for collection, _ in keys}:
        kind = RECORDS[collection]
        wanted = sorted(key for name, key in keys if name == collection)
        sql = look.statements.rows_of_keys(kind.tables[0], kind.key_columns)
        others |= {row[0] for row in await look.connection.fetch(sql, *(list(c) for c in zip(*wanted, strict=True)))}
    for pair in await look.fetch("duplicates_of_records", sorted(locked | others)):
        others.update(pair)
    if not others <= locked:
        raise WidenError(others - locked)
    return {uri: min(group, key=lambda one: (rows.records[one].rev, one)) for group in keys.values() for uri in group}


async def _judge_new_posts(look: Look, rows: Rows) -> None:
    """Posts whose row is missing are judged as things stand: nobody knows how they stood."""
    new = [uri for uri, post in rows.world.posts.items() if rows.main_row(uri) is None and uri in rows.versions]
    if not new:
        return
    kind, world = RECORDS[POST], rows.world
    assert kind.asks is not None
    assert kind.arrive is not None
    world.questions.tells = False
    for uri in new:
        kind.asks(rows.versions[uri], world.questions)
        del world.posts[uri]
    reads = Reads(look.connection, look.statements, world, (), careful=True)
    await reads.threads([rows.versions[uri] for uri in new])
    for uri in new:
        kind.arrive(rows.versions[uri], world)


def _keys(rows: Rows) -> DerivedKeys:
    """What the second run has to look at."""
    keys = DerivedKeys()
    for uri in rows.records:
        parts = aturi.parse(uri)
        keys.parents.add(uri)
        if parts.collection == POST:
            keys.posts.add(uri)
            keys.gated.add(uri)
        elif parts.collection in ("app.bsky.feed.threadgate", "app.bsky.feed.postgate"):
            keys.gated.add(parts.sibling(POST))
        if uri in rows.versions and (hanging := rows.hangs(uri)) is not None and not rows.is_undecided(uri):
            into = keys.quotes if parts.collection == POST else keys.reposts
            into[uri] = Hanging.of(rows.versions[uri], hanging[1], rows.versions[uri].time)
    return keys


class Mender(Writer):
    """Writes what differs."""

    def __init__(
        self,
        connection: Connection,
        statements: Statements,
        rows: Rows,
        indexed: dict[str, str],
        strays: dict[Table, set[str]],
    ) -> None:
        super().__init__(connection, statements, rows.world, careful=True)
        self._rows = rows
        self._first = indexed
        self._strays = strays
        self.changed: Counter[str] = Counter()

    async def write(self) -> None:
        await self._duplicates()
        await self._tables()
        await self.deltas.write(self.connection, self.statements, "recount")

    async def _duplicates(self) -> None:
        """Each record that is not the first of its group points at it, with the cid and indexedAt of its record."""
        rows, new, gone = self._rows, [], []
        for uri in sorted(rows.pointing.keys() | self._first.keys()):
            first, record = self._first.get(uri), rows.records.get(uri)
            actual = rows.pointing.get(uri)
            if first is None or first == uri or record is None:
                if actual is not None and (
                    first is not None or record is None or not record.is_live or self._is_single(uri)
                ):
                    gone.append(uri)
                continue
            if actual != (record.cid, first, record.indexed_at):
                new.append((uri, record.cid, first, record.indexed_at))
                self.changed["duplicate_record.missing" if actual is None else "duplicate_record.differs"] += 1
        if gone:
            await self.connection.execute(self.statements["delete_duplicates"], gone)
            self.changed["duplicate_record.orphan"] += len(gone)
        await self._exactly(self.statements["upsert_duplicates"], new, "duplicate_record", "insert")

    def _is_single(self, uri: str) -> bool:
        """Whether its type knows no duplicates."""
        kind = self._rows.kind(uri)
        return kind is None or kind.duplicate_key is None

    async def _gather(self) -> None:
        rows = self._rows
        for table, uris in self._strays.items():
            for uri in uris:
                if not self._wants(table, uri):
                    self.deletes[table].append(uri)
                    self.changed[f"{table.name}.orphan"] += 1
        for uri in sorted(rows.world.records.keys() | rows.versions.keys()):
            kind = rows.kind(uri)
            if kind is None:
                continue
            if rows.world.is_live(uri) and uri not in rows.versions:
                continue  # what its record says cannot be read
            first = self._first.get(uri, uri)
            for table, expected in rows.expected(uri, indexed=first == uri).items():
                self._compare(table, uri, expected, rows.of(table, uri))

    def _wants(self, table: Table, uri: str) -> bool:
        """Whether the comparison of its record says what becomes of a row."""
        return uri in self._rows.records and table in self._rows.expected(uri, indexed=True)

    def _compare(self, table: Table, uri: str, expected: Sequence[Row], actual: Sequence[Row]) -> None:
        wrong = difference(table, expected, actual)
        if wrong is None:
            return
        kind = self._rows.kind(uri)
        assert kind is not None
        self.changed[f"{table.name}.{wrong[0]}"] += 1
        self.world.indexed[uri] = kind  # flags of posts follow their gates
        if actual:
            self.deletes[table].append(uri)
        self.inserts[table] += expected
