"""app.bsky.feed.like → like (records.md 5.2)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from indexer.fold.world import World

LIKE = Table(
    "like",
    {**PROVENANCE, "subject": TEXT, "subjectCid": TEXT, "via": TEXT, "viaCid": TEXT, **DATES},
    order=("subject", "creator"),
    counters=(Counter("post_agg", "likeCount", by="subject"),),
)


def key(version: Version) -> Key:
    return version.value["subject"]["uri"], version.creator


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    yield LIKE, engagement_row(version)


def notices(version: Version, world: "World") -> Iterable[Notice]:
    return engagement_notices(version, world, "like", "like-via-repost")


RECORD = RecordType(
    "app.bsky.feed.like",
    (LIKE,),
    rows,
    duplicate_key=key,
    key_columns=("subject", "creator"),
    notices=notices,
    retract="unless_replaced",
)
