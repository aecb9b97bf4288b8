"""app.bsky.feed.repost → repost, and a feed item for each live repost (records.md 5.3)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.fold import aturi
from indexer.fold.record_type import (
    DATES,
    PROVENANCE,
    TEXT,
    Counter,
    Key,
    Notice,
    RecordType,
    Row,
    Table,
    Version,
)
from indexer.records._engagement import engagement_notices, engagement_row
from indexer.records._feed_item import FEED_ITEM, feed_item

if TYPE_CHECKING:
    from indexer.fold.world import World

REPOST = Table(
    "repost",
    {**PROVENANCE, "subject": TEXT, "subjectCid": TEXT, "via": TEXT, "viaCid": TEXT, **DATES},
    order=("creator", "subject"),
    counters=(Counter("post_agg", "repostCount", by="subject"),),
)


def key(version: Version) -> Key:
    return version.creator, version.value["subject"]["uri"]


def hangs_on(version: Version) -> str | None:
    """The post that is reposted; of another subject the deletion takes no feed item away (records.md 5.3, DIV-18)."""
    subject: str = version.value["subject"]["uri"]
    return subject if aturi.parse(subject).collection == "app.bsky.feed.post" else None


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    yield REPOST, engagement_row(version)


def attached(version: Version, world: "World") -> Iterable[tuple[Table, Row]]:
    """A duplicate repost has its feed item, too; what a deleted post leaves behind has none (DIV-18)."""
    subject = version.value["subject"]["uri"]
    if not world.outlived(version.uri, subject):
        yield FEED_ITEM, feed_item(version, "repost", subject)


def notices(version: Version, world: "World") -> Iterable[Notice]:
    return engagement_notices(version, world, "repost", "repost-via-repost")


RECORD = RecordType(
    "app.bsky.feed.repost",
    (REPOST,),
    rows,
    attached_tables=(FEED_ITEM,),
    attached=attached,
    duplicate_key=key,
    key_columns=("creator", "subject"),
    notices=notices,
    retract="unless_replaced",
    hangs_on=hangs_on,
)
