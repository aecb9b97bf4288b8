"""The tables that a batch writes, and their order."""

from indexer.fold.record_type import TEXT, Table
from indexer.records import RECORDS
from indexer.records._feed_item import FEED_ITEM
from indexer.records.post.embeds import QUOTE

_BY_TYPE = sorted(RECORDS.values(), key=lambda kind: kind.is_hung_on)
TABLES: tuple[Table, ...] = tuple(
    dict.fromkeys(
        [table for kind in _BY_TYPE for table in kind.tables if table not in (FEED_ITEM, QUOTE)] + [FEED_ITEM, QUOTE]
    )
)
"""Every table of records in the order of writing: gates before posts, which look at them; what hangs on posts last."""
COUNTERS = {counter.column: (table, counter) for table in TABLES for counter in table.counters}
"""Every counter by its column, with the table whose rows it counts."""

RECORD = Table("record", dict.fromkeys(("uri", "cid", "did", "json", "rev", "indexedAt"), TEXT))
NOTIFICATION = Table(
    "notification",
    dict.fromkeys(("did", "recordUri", "recordCid", "author", "reason", "reasonSubject", "sortAt"), TEXT),
)
