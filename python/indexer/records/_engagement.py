"""What likes and reposts have in common (records.md 5.2, 5.3)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from indexer.fold import aturi
from indexer.fold.record_type import Notice, Row, Version, dates, provenance, sort_at

if TYPE_CHECKING:
    from indexer.fold.world import World


def engagement_row(version: Version) -> Row:
    """uri, cid, creator, subject, subjectCid, via, viaCid, createdAt, indexedAt."""
    subject = version.value["subject"]
    via = version.value.get("via")
    return (
        *provenance(version),
        subject["uri"],
        subject["cid"],
        via["uri"] if via else None,
        via["cid"] if via else None,
        *dates(version),
    )


def engagement_notices(version: Version, world: "World", reason: str, via_reason: str) -> Iterator[Notice]:
    """Tell the subject's author, and whose repost led here; who engages with themselves tells nobody."""
    author = version.creator
    subject = version.value["subject"]["uri"]
    recipient = aturi.authority(subject)
    if recipient == author:
        return
    yield _notice(version, world, recipient, reason, subject)
    via = version.value.get("via")
    if via and (reposter := aturi.authority(via["uri"])) != author:
        yield _notice(version, world, reposter, via_reason, via["uri"])


def _notice(version: Version, world: "World", recipient: str, reason: str, about: str) -> Notice:
    subject = aturi.with_path(about)
    return Notice(
        recipient,
        version.uri,
        version.cid,
        version.creator,
        reason,
        subject,
        sort_at(version.created_at, version.time),
        world.thread_of(subject),
    )
