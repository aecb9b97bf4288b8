"""app.bsky.feed.generator → feed_generator (records.md 5.6)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.fold.record_type import (
    DATES,
    PROVENANCE,
    TEXT,
    RecordType,
    Row,
    Table,
    Version,
    blob_cid,
    dates,
    provenance,
)

if TYPE_CHECKING:
    from indexer.fold.world import World

FEED_GENERATOR = Table(
    "feed_generator",
    {
        **PROVENANCE,
        "feedDid": TEXT,
        "displayName": TEXT,
        "description": TEXT,
        "descriptionFacets": TEXT,
        "avatarCid": TEXT,
        **DATES,
    },
)


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    value = version.value
    yield (
        FEED_GENERATOR,
        (
            *provenance(version),
            value["did"],
            value["displayName"],
            value.get("description"),
            version.description_facets,
            blob_cid(value.get("avatar")),
            *dates(version),
        ),
    )


RECORD = RecordType("app.bsky.feed.generator", (FEED_GENERATOR,), rows)
