"""Everything that one account has, up to its deletion, and how it goes: in portions, each a short transaction.

What is gone is gone: after a crash the work begins again and finds less. Rows are found by indexes only: records by
their DID; rows whose record is missing (the reference leaves some behind) by their keys, which begin with the DID.
"""

from collections.abc import Sequence
from functools import partial

from indexer.fold import aturi
from indexer.fold.apply import Folded, settle_groups
from indexer.fold.record_type import Table
from indexer.fold.world import World
from indexer.records._feed_item import FEED_ITEM
from indexer.records.post.embeds import QUOTE
from indexer.removal.portions import Portions
from indexer.removal.remains import Remains
from indexer.sink.faults import MovedError
from indexer.sink.reads import Reads, WidenError
from indexer.sink.tables import TABLES
from indexer.sink.writer import POST_COLLECTION, Writer

PORTION = 1_000
"""Records per transaction."""
PAGE = 100
"""Keys that are looked at for rows without a record; few accounts have any."""
OWNED = (*((table.name, table.owner) for table in TABLES), ("duplicate_record", "uri"))
"""Tables with the columns that hold URIs of the account's records."""


class Account:
    """One account under removal. Whatever is newer than its deletion stays."""

    def __init__(self, portions: Portions) -> None:
        self._portions = portions
        self._kept = 0
        """Newer records, by the last look."""

    async def sweep(self) -> None:
        """Remove all that is there. LostError where somebody else took the job."""
        while await self._records():
            pass
        await self._rows_without_record()
        lives, remains = self._kept > 0, Remains(self._portions)
        await remains.notifications(lives=lives)
        await remains.aggregates()
        await self._portions.patiently(partial(remains.actor, lives=lives))

    async def _records(self) -> bool:
        """Look at all records once; whether it has to be done again: newer ones that move may hide others."""
        portions, erased = self._portions, 0
        self._kept = 0
        while rows := await portions.fetch("records_of_account", portions.job.did, self._kept, PORTION):
            is_newer = portions.stay([time for _, time, _ in rows], [rev for _, _, rev in rows])
            older = sorted(uri for (uri, _, _), newer in zip(rows, is_newer, strict=True) if not newer)
            kept = len(rows) - len(older) + await self._erase(older)
            if kept:
                await portions.patiently(self._promote, sorted(uri for uri, _, _ in rows))
            self._kept += kept
            erased += len(rows) - kept
        return self._kept > 0 and erased > 0

    async def _erase(self, uris: Sequence[str]) -> int:
        """Remove records and their rows; returns how many of them turned out to be newer."""
        if not uris:
            return 0
        posts = [uri for uri in uris if aturi.parse(uri).collection == POST_COLLECTION]
        for statement, table in (("drop_feed_items_of_posts", FEED_ITEM), ("drop_quotes_of_posts", QUOTE)):
            while posts and await self._portions.patiently(self._hanging, statement, table, posts) == PORTION:
                pass
        return await self._portions.patiently(self._portion, uris)

    async def _hanging(self, statement: str, table: Table, posts: Sequence[str]) -> int:
        """What other people have on the posts goes first, whatever its rev: it may be more than a portion."""
        async with self._portions.one() as eraser:
            return await eraser.hanging(statement, table, posts, PORTION)

    async def _portion(self, uris: Sequence[str]) -> int:
        portions = self._portions
        async with portions.one() as eraser:
            rows = await eraser.connection.fetch(portions.statements["lock_records"], uris)
            is_newer = portions.stay(
                [time for _, _, _, time in rows], [rev if cid == "" else None for _, rev, cid, _ in rows]
            )
            newer = {uri for (uri, _, _, _), newer in zip(rows, is_newer, strict=True) if newer}
            doomed = [uri for uri in uris if uri not in newer]
            await eraser.records(doomed)
            unlocked = sorted(set(doomed).difference(row[0] for row in rows))
            still = await eraser.connection.fetch(portions.statements["without_record"], unlocked)
            if len(still) < len(unlocked):
                raise MovedError("a record came where only rows of it were")
            return len(newer)

    async def _promote(self, uris: Sequence[str]) -> None:
        """Index the newer of these records whose indexed duplicate is gone (DIV-13)."""
        portions = self._portions
        also = {uri for (uri,) in await portions.fetch("duplicates_of_nothing", uris)}
        while also:
            try:
                async with portions.jobs.transaction() as connection:
                    world = World("")
                    reads = Reads(connection, portions.statements, world, (), careful=True)
                    await reads.all(also, "off", backfill=True)
                    settle_groups(world)
                    writer = Writer(connection, portions.statements, world, careful=True)
                    await writer.all(Folded(), (), portions.aggregates)
                return
            except WidenError as more:
                also |= more.uris

    async def _rows_without_record(self) -> None:
        """Remove what others left behind, a page of each table at a time."""
        portions = self._portions
        places = dict.fromkeys(OWNED, portions.prefix)
        while places:
            found: set[str] = set()
            for place, after in list(places.items()):
                page = [key for (key,) in await portions.fetch(portions.statements.rows_behind(*place), after, PAGE)]
                own = {uri for uri in page if uri.startswith(portions.prefix)}
                found |= own
                if own and len(page) == PAGE:
                    places[place] = page[-1]
                else:
                    del places[place]
            await self._erase(sorted(uri for (uri,) in await portions.fetch("without_record", sorted(found))))
