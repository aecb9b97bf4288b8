"""app.bsky.graph.follow → follow (records.md 5.4)."""

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
    dates,
    provenance,
    sort_at,
)

if TYPE_CHECKING:
    from indexer.fold.world import World

FOLLOW = Table(
    "follow",
    {**PROVENANCE, "subjectDid": TEXT, **DATES},
    order=("creator", "subjectDid"),
    counters=(
        Counter("profile_agg", "followersCount", by="subjectDid"),
        Counter("profile_agg", "followsCount", by="creator"),
    ),
)


def key(version: Version) -> Key:
    return version.creator, version.value["subject"]


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    yield FOLLOW, (*provenance(version), version.value["subject"], *dates(version))


def notices(version: Version, _world: "World") -> Iterable[Notice]:
    """Who follows themselves is told, too (measured on the reference)."""
    yield Notice(
        version.value["subject"],
        version.uri,
        version.cid,
        version.creator,
        "follow",
        None,
        sort_at(version.created_at, version.time),
    )


RECORD = RecordType(
    "app.bsky.graph.follow",
    (FOLLOW,),
    rows,
    duplicate_key=key,
    key_columns=("creator", "subjectDid"),
    notices=notices,
    retract="unless_replaced",
)
