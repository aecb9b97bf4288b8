"""feed_item, which posts and reposts share (schema.md 2, records.md 4.3)."""

from typing import Literal

from indexer.fold.record_type import TEXT, Row, Table, Version, sort_at

FEED_ITEM = Table(
    "feed_item",
    {"uri": TEXT, "cid": TEXT, "type": TEXT, "postUri": TEXT, "originatorDid": TEXT, "sortAt": TEXT},
)


def feed_item(version: Version, kind: Literal["post", "repost"], post_uri: str) -> Row:
    """SortAt is written here, not generated."""
    return version.uri, version.cid, kind, post_uri, version.creator, sort_at(version.created_at, version.time)
