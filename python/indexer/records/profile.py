"""app.bsky.actor.profile → profile (records.md 5.8)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.fold import aturi
from indexer.fold.record_type import PROVENANCE, TEXT, Notice, RecordType, Row, Table, Version, blob_cid, provenance

if TYPE_CHECKING:
    from indexer.fold.world import World

PROFILE = Table(
    "profile",
    {
        **PROVENANCE,
        "displayName": TEXT,
        "description": TEXT,
        "avatarCid": TEXT,
        "bannerCid": TEXT,
        "joinedViaStarterPackUri": TEXT,
        "createdAt": TEXT,
        "indexedAt": TEXT,
    },
)


def rows(version: Version, world: "World") -> Iterable[tuple[Table, Row]]:
    """CreatedAt is the given text, not normalized; without one it is the time of processing."""
    if version.rkey != "self":
        return
    value = version.value
    joined = value.get("joinedViaStarterPack")
    yield (
        PROFILE,
        (
            *provenance(version),
            value.get("displayName"),
            value.get("description"),
            blob_cid(value.get("avatar")),
            blob_cid(value.get("banner")),
            joined["uri"] if joined else None,
            value.get("createdAt", world.now),
            version.time,
        ),
    )


def notices(version: Version, world: "World") -> Iterable[Notice]:
    joined = version.value.get("joinedViaStarterPack")
    if version.rkey == "self" and joined:
        uri = joined["uri"]
        yield Notice(
            aturi.authority(uri),
            version.uri,
            version.cid,
            version.creator,
            "starterpack-joined",
            uri,
            version.time,
            thread=world.thread_of(uri),
        )


RECORD = RecordType("app.bsky.actor.profile", (PROFILE,), rows, notices=notices)
