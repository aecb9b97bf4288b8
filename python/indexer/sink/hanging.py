"""What hangs on a post and goes with it: feed items of reposts, quotes (DIV-18)."""

from collections.abc import Iterable
from typing import NamedTuple

from indexer.connections.database import Connection
from indexer.fold.record_type import Table, Version, sort_at
from indexer.records._feed_item import FEED_ITEM
from indexer.sink.counts import Deltas
from indexer.sink.statements import Statements


class Hanging(NamedTuple):
    """A repost or quoting post, and the post that it hangs on."""

    uri: str
    post: str
    cid: str
    creator: str
    sort_at: str
    """Of its feed item, where it has no row of its own to take it from."""

    @classmethod
    def of(cls, version: Version, post: str, time: str) -> "Hanging":
        return cls(version.uri, post, version.cid, version.creator, sort_at(version.created_at, time))


async def restore(
    connection: Connection, statements: Statements, table: Table, hanging: Iterable[Hanging], deltas: Deltas
) -> None:
    """Insert what is missing of feed items or quotes, unless the post was deleted after it (DIV-18)."""
    columns = [list(column) for column in zip(*sorted(hanging), strict=True)]
    if table is FEED_ITEM:
        await connection.execute(statements["restore_feed_items"], *columns)
    else:
        deltas.inserted(table, await connection.fetch(statements["restore_quotes"], *columns[:3]))
