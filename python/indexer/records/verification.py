"""app.bsky.graph.verification → verification (records.md 5.9)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.fold.record_type import (
    DATES,
    PROVENANCE,
    TEXT,
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

VERIFICATION = Table(
    "verification",
    {**PROVENANCE, "rkey": TEXT, "subject": TEXT, "handle": TEXT, "displayName": TEXT, **DATES},
    order=("subject", "creator"),
)


def key(version: Version) -> Key:
    return version.value["subject"], version.creator


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    value = version.value
    yield (
        VERIFICATION,
        (*provenance(version), version.rkey, value["subject"], value["handle"], value["displayName"], *dates(version)),
    )


def notices(version: Version, _world: "World") -> Iterable[Notice]:
    yield Notice(
        version.value["subject"],
        version.uri,
        version.cid,
        version.creator,
        "verified",
        None,
        sort_at(version.created_at, version.time),
    )


def farewell(uri: str, creator: str, cid: str, key: Key, now: str) -> Iterable[Notice]:
    """Written by a deletion and by an update, with the URI and CID of the row that goes."""
    subject, _ = key
    yield Notice(subject, uri, cid, creator, "unverified", None, now)


RECORD = RecordType(
    "app.bsky.graph.verification",
    (VERIFICATION,),
    rows,
    duplicate_key=key,
    key_columns=("subject", "creator"),
    notices=notices,
    farewell=farewell,
)
