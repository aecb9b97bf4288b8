"""Write that records are gone, without a trace: the writer's way of deleting, and `record` rows that go, too."""

from collections.abc import Callable, Iterable, Sequence

from indexer.fold import aturi
from indexer.fold.record_type import Table
from indexer.fold.world import Stored
from indexer.records import RECORDS
from indexer.sink.counts import Aggregates
from indexer.sink.writer import Writer


class Eraser(Writer):
    """Deletes rows in the order of the writer, and knows how many. Counters follow last, by `counters`."""

    @property
    def removed(self) -> int:
        """How many rows went."""
        return sum(number for (_, change), number in self.rows.items() if change == "delete")

    async def records(self, uris: Iterable[str]) -> None:
        """Delete records and their rows; what is stored of them is locked, or there is none."""
        world = self.world
        for uri in uris:
            world.records[uri] = Stored("", "", "", stored=True)
            kind = RECORDS.get(aturi.parse(uri).collection)
            if kind is None:
                continue
            world.indexed[uri] = kind
            if kind.attached_tables:
                world.attached[uri] = kind
        doomed = sorted(world.records)
        await self.drop("record", "delete_records", doomed)
        await self.drop("duplicate_record", "delete_duplicates", doomed)
        await self.drop("notification", "delete_notifications", doomed)
        await self._tables()

    async def drop(self, table: str, statement: str, *arguments: object) -> int:
        """Run a deletion; returns how many rows went."""
        done = await self.connection.execute(self.statements[statement], *arguments)
        number = int(done.rpartition(" ")[2])
        self._note(table, "delete", number)
        return number

    async def hanging(self, statement: str, table: Table, posts: Sequence[str], most: int) -> int:
        """Delete a portion of what other people have on posts; returns how much that was."""
        gone = await self.connection.fetch(self.statements[statement], posts, most)
        self._note(table.name, "delete", len(gone))
        self.deltas.deleted(table, gone)
        return len(gone)

    async def counters(self, aggregates: Aggregates, is_own: Callable[[str], bool]) -> None:
        """Move or mark the counters. Those of the account itself are not marked, but counted when they go."""
        if aggregates == "recount":
            self.deltas.forget(is_own)
        for table, touched in (await self.deltas.write(self.connection, self.statements, aggregates)).items():
            self._note(table, "update", touched)
