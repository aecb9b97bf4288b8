"""app.bsky.graph.list → list (records.md 5.6)."""

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

LIST = Table(
    "list",
    {
        **PROVENANCE,
        "name": TEXT,
        "purpose": TEXT,
        "description": TEXT,
        "descriptionFacets": TEXT,
        "avatarCid": TEXT,
        **DATES,
    },
)


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    value = version.value
    yield (
        LIST,
        (
            *provenance(version),
            value["name"],
            value["purpose"],
            value.get("description"),
            version.description_facets,
            blob_cid(value.get("avatar")),
            *dates(version),
        ),
    )


RECORD = RecordType("app.bsky.graph.list", (LIST,), rows)
