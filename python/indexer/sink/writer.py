"""Write what a batch changed: a number of statements that does not grow with it, tables in one order, keys sorted.

Each insertion says how many rows it must find free. If a neighbour was there in the meantime the count is off, and the
batch is rolled back, read again and folded again (`MovedError`). What is deleted or updated is held by the lock on its
`record` row since the reading, or is deleted whoever's it is, and counted as it is found.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from indexer import aturi
from indexer.database import Connection
from indexer.fold import Folded
from indexer.record_type import RecordType, Row, Table
from indexer.records import RECORDS
from indexer.records._feed_item import FEED_ITEM
from indexer.records.post import POST
from indexer.records.post.embeds import QUOTE
from indexer.sink.accounts import write_accounts
from indexer.sink.counts import Aggregates, Deltas
from indexer.sink.faults import MovedError
from indexer.sink.statements import Statements
from indexer.world import World

_BY_TYPE = sorted(RECORDS.values(), key=lambda kind: kind.is_hung_on)
TABLES: tuple[Table, ...] = tuple(
    dict.fromkeys(
        [table for kind in _BY_TYPE for table in kind.tables if table not in (FEED_ITEM, QUOTE)] + [FEED_ITEM, QUOTE]
    )
)
"""Every table of records in the order of writing: gates before posts, which look at them; what hangs on posts last."""

_GATES = ("app.bsky.feed.threadgate", "app.bsky.feed.postgate")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that has no effect, kept with its reason (interface.md)."""

    stream: str
    message_id: str
    cause: str
    fault_class: str
    sqlstate: str | None
    detail: str
    attempts: int
    payload: bytes


class Writer:
    """Writes one world, in the transaction that read it."""

    def __init__(self, connection: Connection, statements: Statements, world: World, *, careful: bool) -> None:
        self.connection = connection
        self.statements = statements
        self.world = world
        self.careful = careful
        """Expect rows without a `record` row, which other writers may have left."""
        self.deletes: defaultdict[Table, list[str]] = defaultdict(list)
        self.inserts: defaultdict[Table, list[Row]] = defaultdict(list)
        self.deltas = Deltas()
        self.rows: dict[tuple[str, str], int] = {}
        """Rows by table and change, for the metrics."""

    async def all(self, folded: Folded, letters: Sequence[DeadLetter], aggregates: Aggregates) -> None:
        await self._records()
        await self._duplicates()
        # before the posts: who muted a thread is judged by the posts that were there when the batch began
        await self._notifications()
        self._gather()
        for table in TABLES:
            await self._table(table)
        await self._commits(folded)
        accounts = await write_accounts(self.connection, self.statements, folded.look_ups, folded.accounts)
        for (table_name, change), rows in accounts.items():
            self._note(table_name, change, rows)
        for name, touched in (await self.deltas.write(self.connection, self.statements, aggregates)).items():
            self._note(name, "update", touched)
        await self.dead_letters(letters)

    def _gather(self) -> None:
        """The rows that go and the rows that come, by table."""
        world = self.world
        for uri, kind in world.indexed.items():
            if self._may_be_stored(uri):
                for table in kind.tables:
                    self.deletes[table].append(uri)
            if world.is_live(uri) and self._is_indexed(uri, kind):
                for table, row in kind.rows(world.versions[uri], world):
                    self.inserts[table].append(row)
        for uri, kind in world.attached.items():
            if self._may_be_stored(uri):
                for table in kind.attached_tables:
                    self.deletes[table].append(uri)
            if world.is_live(uri):
                for table, row in kind.attached(world.versions[uri], world):
                    self.inserts[table].append(row)

    def _may_be_stored(self, uri: str) -> bool:
        stored = self.world.records.get(uri)
        return self.careful or stored is None or stored.stored

    def _is_indexed(self, uri: str, kind: RecordType) -> bool:
        if kind.duplicate_key is None:
            return True
        group = self.world.group_of.get(uri)
        return group is not None and group.indexed == uri

    async def _records(self) -> None:
        new, moved = [], []
        for uri, stored in sorted(self.world.records.items()):
            if stored.changed and stored.stored:
                moved.append((uri, stored.cid, stored.json, stored.rev, stored.indexed_at))
            elif stored.changed:
                did = aturi.authority(uri)
                new.append((uri, stored.cid, did, stored.json, stored.rev, stored.indexed_at))
        await self._exactly("insert_records", new, "record", "insert")
        await self._exactly("update_records", moved, "record", "update")

    async def _duplicates(self) -> None:
        """Every live record that is not the indexed one of its group points at it (DIV-13)."""
        world = self.world
        pointing: dict[str, str] = {}
        for group in world.groups.values():
            if group.indexed is not None:
                pointing.update((uri, group.indexed) for uri in group.revs if uri != group.indexed)
        gone = [uri for uri in world.duplicates if uri not in pointing and self._is_settled(uri)]
        if gone:
            await self.connection.execute(self.statements["delete_duplicates"], sorted(gone))
            self._note("duplicate_record", "delete", len(gone))
        rows = [
            (uri, world.records[uri].cid, of, world.records[uri].indexed_at)
            for uri, of in sorted(pointing.items())
            if world.duplicates.get(uri) != of or world.records[uri].changed
        ]
        await self._exactly("upsert_duplicates", rows, "duplicate_record", "insert")

    def _is_settled(self, uri: str) -> bool:
        """Whether it is known that this record is no duplicate: it is gone, or indexed."""
        group = self.world.group_of.get(uri)
        return not self.world.is_live(uri) or (group is not None and group.indexed == uri)

    async def _table(self, table: Table) -> None:
        if table is POST:
            await self._lock_and_flag_posts()
        if table is FEED_ITEM:
            await self._hanging("delete_feed_items", table)
        elif table is QUOTE:
            self.deltas.deleted(table, await self._hanging("delete_quotes", table))
        elif uris := self.deletes.get(table):
            gone = await self.connection.fetch(self.statements.delete(table), sorted(uris))
            self._note(table.name, "delete", len(gone))
            self.deltas.deleted(table, gone)
        if rows := self.inserts.get(table):
            order = [table.index(column) for column in table.order]
            rows.sort(key=lambda row: [str(row[at]) for at in order])
            await self._exactly(self.statements.insert(table), rows, table.name, "insert")
            self.deltas.inserted(table, rows)
        if table is FEED_ITEM or table is QUOTE:
            await self._restore(table)

    async def _hanging(self, statement: str, table: Table) -> Sequence[Any]:
        """Delete rows of records, and those that posts which were deleted leave behind (DIV-18)."""
        own = sorted(self.deletes.get(table, ()))
        posts = {
            uri: max(rev for _, rev in lives)
            for uri, lives in sorted(self.world.lives.items())
            if any(position >= 0 and rev for position, rev in lives)
        }
        if not own and not posts:
            return []
        gone = await self.connection.fetch(self.statements[statement], own, list(posts), list(posts.values()))
        self._note(table.name, "delete", len(gone))
        return gone

    async def _restore(self, table: Table) -> None:
        """What a renewed record has on its post, where a deletion that is older now took it away (DIV-18)."""
        world, rows = self.world, []
        for uri, (version, post, indexed_at) in sorted(world.renewed.items()):
            if world.is_live(uri) and (table is QUOTE) is (aturi.parse(uri).collection == POST_COLLECTION):
                row = (uri, post, world.records[uri].rev)
                more = (version.cid, version.creator, version.created_at, indexed_at)
                rows.append(row if table is QUOTE else row + more)
        if not rows:
            return
        columns = [list(column) for column in zip(*rows, strict=True)]
        if table is FEED_ITEM:
            await self.connection.execute(self.statements["restore_feed_items"], *columns)
        else:
            self.deltas.inserted(table, await self.connection.fetch(self.statements["restore_quotes"], *columns))

    async def _lock_and_flag_posts(self) -> None:
        flagged = {
            aturi.parse(uri).sibling(POST_COLLECTION)
            for uri, kind in self.world.indexed.items()
            if kind.collection in _GATES
        }
        touched = sorted(flagged.union(self.deletes.get(POST, ())))
        if touched:
            await self.connection.execute(self.statements["lock_posts"], touched)
        if flagged:
            await self.connection.execute(self.statements["flag_gates"], sorted(flagged))

    async def _notifications(self) -> None:
        world = self.world
        if world.retracted:
            await self.connection.execute(self.statements["delete_notifications"], sorted(world.retracted))
        notices = [notice for about in world.notices.values() for notice in about]
        if notices:
            columns = [list(column) for column in zip(*notices, strict=True)]
            await self.connection.execute(self.statements["insert_notifications"], *columns)
            self._note("notification", "insert", len(notices))

    async def _commits(self, folded: Folded) -> None:
        if folded.commits:
            rows = [(did, commit, rev) for did, (rev, commit) in sorted(folded.commits.items())]
            columns = [list(column) for column in zip(*rows, strict=True)]
            await self.connection.execute(self.statements["upsert_commits"], *columns)
            self._note("actor_sync", "update", len(rows))

    async def dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        if letters:
            columns = [[getattr(letter, name) for letter in letters] for name in DeadLetter.__dataclass_fields__]
            await self.connection.execute(self.statements["insert_dead_letters"], *columns)

    async def _exactly(self, statement: str, rows: Sequence[Row], table: str, change: str) -> None:
        """Run a statement over rows, given as columns; every row must take effect."""
        if not rows:
            return
        sql = self.statements[statement] if " " not in statement else statement
        done = await self.connection.execute(sql, *(list(column) for column in zip(*rows, strict=True)))
        if int(done.rpartition(" ")[2]) != len(rows):
            raise MovedError(f"{table}: {done} instead of {len(rows)} rows")
        self._note(table, change, len(rows))

    def _note(self, table: str, change: str, rows: int) -> None:
        self.rows[table, change] = self.rows.get((table, change), 0) + rows


POST_COLLECTION = "app.bsky.feed.post"
