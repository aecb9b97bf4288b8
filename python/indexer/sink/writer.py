"""Write what a batch changed: a number of statements that does not grow with it, tables in one order, keys sorted.

New rows go by COPY, which takes the least time of the server and of ours. If a neighbour was there in the meantime, the
batch is rolled back, read again and folded again (`MovedError`), and then inserted with a count of the rows that found
their place free. What is deleted or updated is held by the lock on its `record` row since the reading, or is deleted
whoever's it is, and counted as it is found.
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import cast

import asyncpg

from indexer._native import Event, encode_copy
from indexer.connections.database import Connection, beside
from indexer.fold import aturi
from indexer.fold.apply import Folded
from indexer.fold.record_type import Notice, RecordType, Row, Table, Version
from indexer.fold.world import World
from indexer.records import RECORDS
from indexer.records._feed_item import FEED_ITEM
from indexer.records.post import POST
from indexer.records.post.embeds import QUOTE
from indexer.sink.accounts import write_accounts
from indexer.sink.counts import Aggregates, Deltas
from indexer.sink.dead_letter import DeadLetter, insert_dead_letters
from indexer.sink.faults import MovedError
from indexer.sink.hanging import Hanging, restore
from indexer.sink.statements import Statements
from indexer.sink.tables import NOTIFICATION, RECORD, TABLES

GATHERED_AT_ONCE = 100
"""Records; in between the connection gets its turn."""
_GATES = ("app.bsky.feed.threadgate", "app.bsky.feed.postgate")


class Writer:
    """Writes one world, in the transaction that read it."""

    def __init__(self, connection: Connection, statements: Statements, world: World, *, careful: bool) -> None:
        self.connection = connection
        self.statements = statements
        self.world = world
        self.careful = careful
        """Expect neighbours, and rows without a `record` row, which other writers may have left."""
        self.deletes: defaultdict[Table, list[str]] = defaultdict(list)
        self.inserts: defaultdict[Table, list[Row]] = defaultdict(list)
        self.deltas = Deltas()
        self.dropped: dict[Table, list[Hanging]] = {FEED_ITEM: [], QUOTE: []}
        """What went because its post was deleted."""
        self.rows: dict[tuple[str, str], int] = {}
        """Rows by table and change, for the metrics."""
        self._encoded: dict[Table, bytes] = {}
        """Rows as COPY reads them, made ahead."""
        self._begun: dict[str, Row] = {}
        """Rows of `record` that were written before the batch was folded, by URI."""

    async def all(self, folded: Folded, letters: Sequence[DeadLetter], aggregates: Aggregates) -> None:
        await self._records()
        await self._duplicates()
        # before the posts: who muted a thread is judged by the posts that were there when the batch began
        await self._tables(self._notifications)
        await self._commits(folded)
        accounts = await write_accounts(self.connection, self.statements, folded.look_ups, folded.accounts)
        for (table_name, change), rows in accounts.items():
            self._note(table_name, change, rows)
        for name, touched in (await self.deltas.write(self.connection, self.statements, aggregates)).items():
            self._note(name, "update", touched)
        await insert_dead_letters(self.connection, self.statements, letters)

    async def new_records(self, events: Sequence[Event]) -> None:
        """Write the new rows of `record` before the batch is folded: with what comes first, nearly always the last.

        Nothing is left to be done where they were claimed.
        """
        if self.careful or self._begun:
            return
        self._begun = self._first_rows(events)
        await self._insert(RECORD, [self._begun[uri] for uri in sorted(self._begun)])

    async def claim_records(self, events: Sequence[Event]) -> set[str]:
        """The same where neighbours are likely to bring the same records; returns those that are there by now.

        It waits for insertions in progress, in the order of the URIs, like COPY.
        """
        self._begun = self._first_rows(events)
        rows = [self._begun[uri] for uri in sorted(self._begun)]
        if not rows:
            return set()
        columns = (list(column) for column in zip(*rows, strict=True))
        placed = {row[0] for row in await self.connection.fetch(self.statements.claim(RECORD), *columns)}
        self._note(RECORD.name, "insert", len(placed))
        taken = self._begun.keys() - placed
        for uri in taken:
            del self._begun[uri]
        return taken

    def _first_rows(self, events: Sequence[Event]) -> dict[str, Row]:
        """The rows of `record` that the first messages of records make that are not known, by URI."""
        first: dict[str, Row] = {}
        known = self.world.records
        for event in events:
            uri, kind = event.uri, RECORDS.get(event.collection or "")
            if uri is None or kind is None or uri in known or uri in first:
                continue
            if event.kind == "delete":
                first[uri] = (uri, "", event.did, "", event.rev, event.time)
            elif kind.belongs is None or kind.belongs(cast(Version, event)):
                first[uri] = (uri, event.cid, event.did, event.json, event.rev, event.time)
        return first

    async def _gather(self) -> None:
        """The rows that go and the rows that come, by table."""
        world = self.world
        for position, (uri, kind) in enumerate(world.indexed.items()):
            if position % GATHERED_AT_ONCE == 0:
                await asyncio.sleep(0)
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
        new: list[Row] = []
        moved: list[Row] = []
        begun = self._begun
        for uri, stored in sorted(self.world.records.items()):
            if not stored.changed:
                continue
            row = (uri, stored.cid, aturi.authority(uri), stored.json, stored.rev, stored.indexed_at)
            if stored.stored or begun.get(uri, row) != row:
                moved.append((uri, stored.cid, stored.json, stored.rev, stored.indexed_at))
            elif uri not in begun:
                new.append(row)
        await self._insert(RECORD, new)
        await self._exactly(self.statements["update_records"], moved, "record", "update")

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
        await self._exactly(self.statements["upsert_duplicates"], rows, "duplicate_record", "insert")

    def _is_settled(self, uri: str) -> bool:
        """Whether it is known that this record is no duplicate: it is gone, or indexed."""
        group = self.world.group_of.get(uri)
        return not self.world.is_live(uri) or (group is not None and group.indexed == uri)

    def _shape(self, table: Table) -> None:
        """Sort the rows that come to a table and encode them, so that the server need not wait for that."""
        rows = self.inserts.get(table)
        if not rows:
            return
        order = [table.index(column) for column in table.order]
        rows.sort(key=lambda row: [str(row[at]) for at in order])
        if not self.careful:
            self._encoded[table] = self._encode(table, rows)

    async def _tables(self, first: Callable[[], Awaitable[None]] | None = None) -> None:
        """Gather and shape what belongs to each table, ahead of the connection, which does `first` and writes it."""
        shaped: asyncio.Queue[Table] = asyncio.Queue()

        async def write() -> None:
            if first is not None:
                await first()
            for _ in TABLES:
                await self._table(await shaped.get())

        async with beside(write()):
            await self._gather()
            for table in TABLES:
                self._shape(table)
                shaped.put_nowait(table)
                await asyncio.sleep(0)

    async def _table(self, table: Table) -> None:
        gated = await self._lock_posts() if table is POST else []
        if table is FEED_ITEM:
            await self._hanging("delete_feed_items", table)
        elif table is QUOTE:
            quotes = await self._hanging("delete_quotes", table)
            self.deltas.deleted(table, [(quote.post,) for quote in quotes])
        elif uris := self.deletes.get(table):
            gone = await self.connection.fetch(self.statements.delete(table), sorted(uris))
            self._note(table.name, "delete", len(gone))
            self.deltas.deleted(table, gone)
        rows = self.inserts.get(table, [])
        if rows:
            await self._insert(table, rows, self._encoded.pop(table, None))
            self.deltas.inserted(table, rows)
        if gated or (rows and table is POST):
            await self.connection.execute(self.statements["flag_gates"], gated, [str(row[0]) for row in rows])
        if table is FEED_ITEM or table is QUOTE:
            await self._restore(table)

    async def _hanging(self, statement: str, table: Table) -> list[Hanging]:
        """Delete rows of records, and those that posts which were deleted leave behind (DIV-18)."""
        own = set(self.deletes.get(table, ()))
        posts = {
            uri: max(rev for _, rev in lives)
            for uri, lives in sorted(self.world.lives.items())
            if any(position >= 0 and rev for position, rev in lives)
        }
        if not own and not posts:
            return []
        rows = await self.connection.fetch(self.statements[statement], sorted(own), list(posts), list(posts.values()))
        gone = [Hanging(*row) for row in rows]
        self._note(table.name, "delete", len(gone))
        self.dropped[table] += [hanging for hanging in gone if hanging.uri not in own]
        return gone

    async def _restore(self, table: Table) -> None:
        """What a renewed record has on its post, where a deletion that is older now took it away (DIV-18)."""
        world = self.world
        hanging = [
            Hanging.of(version, post, indexed_at)
            for uri, (version, post, indexed_at) in world.renewed.items()
            if world.is_live(uri) and (table is QUOTE) is (aturi.parse(uri).collection == POST_COLLECTION)
        ]
        if hanging:
            await restore(self.connection, self.statements, table, hanging, self.deltas)

    async def _lock_posts(self) -> list[str]:
        """Lock the posts that are removed or flagged, in one pass; returns those of gates that came or went."""
        flagged = {
            aturi.parse(uri).sibling(POST_COLLECTION)
            for uri, kind in self.world.indexed.items()
            if kind.collection in _GATES
        }
        touched = sorted(flagged.union(self.deletes.get(POST, ())))
        if touched:
            await self.connection.execute(self.statements["lock_posts"], touched)
        return sorted(flagged)

    async def _notifications(self) -> None:
        world = self.world
        if world.retracted:
            await self.connection.execute(self.statements["delete_notifications"], sorted(world.retracted))
        notices = await self._unmuted([notice for about in world.notices.values() for notice in about])
        await self._insert(NOTIFICATION, [notice[:-1] for notice in notices])

    async def _unmuted(self, notices: list[Notice]) -> list[Notice]:
        """Without those for people who muted the thread of the subject (records.md 2.5)."""
        threads = {
            (notice.subject, notice.thread)
            for notice in notices
            if notice.subject is not None and notice.thread != "" and not notice.subject.startswith("did:")
        }
        if not threads:
            return notices
        places = list(threads)
        columns = [list(column) for column in zip(*places, strict=True)]
        muted = {
            (*places[position - 1], did)
            for position, did in await self.connection.fetch(self.statements["thread_mutes"], *columns)
        }
        if not muted:
            return notices
        return [notice for notice in notices if (notice.subject, notice.thread, notice.recipient) not in muted]

    async def _commits(self, folded: Folded) -> None:
        if folded.commits:
            dids = sorted(folded.commits)
            revs, commits = zip(*(folded.commits[did] for did in dids), strict=True)
            await self.connection.execute(self.statements["upsert_commits"], dids, list(commits), list(revs))
            self._note("actor_sync", "update", len(dids))

    def _encode(self, table: Table, rows: Sequence[Row]) -> bytes:
        written = self.statements.written(table)
        return encode_copy(rows, [written.get(name, "") for name in table.columns])

    async def _insert(self, table: Table, rows: Sequence[Row], encoded: bytes | None = None) -> None:
        """Insert rows, all of which must find their place free; `encoded` is what `_encode` makes of them."""
        if self.careful:
            await self._exactly(self.statements.insert(table), rows, table.name, "insert")
            return
        if not rows:
            return
        try:
            await self.connection.copy_to_table(
                table.name,
                source=_once(encoded or self._encode(table, rows)),
                columns=list(self.statements.written(table)),
                schema_name=self.statements.schema_name,
                format="binary",
            )
        except asyncpg.UniqueViolationError as error:
            raise MovedError(f"{table.name}: {error}") from error
        self._note(table.name, "insert", len(rows))

    async def _exactly(self, sql: str, rows: Sequence[Row], table: str, change: str) -> None:
        """Run a statement over rows, given as columns; every row must take effect."""
        if not rows:
            return
        done = await self.connection.execute(sql, *(list(column) for column in zip(*rows, strict=True)))
        if int(done.rpartition(" ")[2]) != len(rows):
            raise MovedError(f"{table}: {done} instead of {len(rows)} rows")
        self._note(table, change, len(rows))

    def _note(self, table: str, change: str, rows: int) -> None:
        self.rows[table, change] = self.rows.get((table, change), 0) + rows


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data


POST_COLLECTION = "app.bsky.feed.post"
