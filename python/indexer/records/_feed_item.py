"""feed_item, which posts and reposts share (schema.md 2, records.md 4.3)."""

from typing import Literal

from indexer.record_type import TEXT, Row, Table, Version

FEED_ITEM = Table(
    "feed_item",
    {"uri": TEXT, "cid": TEXT, "type": TEXT, "postUri": TEXT, "originatorDid": TEXT, "sortAt": TEXT},
)


def feed_item(version: Version, kind: Literal["post", "repost"], post_uri: str) -> Row:
    """SortAt is written here, not generated: the lesser of createdAt and the event's time, as texts."""
    sort_at = min(version.created_at or version.time, version.time)
    return version.uri, version.cid, kind, post_uri, version.creator, sort_at
