"""The embeds of a post and the quote that one of them can be (records.md 5.1.4)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from indexer.fold import aturi
from indexer.fold.record_type import TEXT, Counter, Row, Table, Version, blob_cid

if TYPE_CHECKING:
    from indexer.fold.world import World

IMAGE = Table(
    "post_embed_image",
    {"postUri": TEXT, "position": TEXT, "imageCid": TEXT, "alt": TEXT},
    owner="postUri",
    order=("postUri", "position"),
)
EXTERNAL = Table(
    "post_embed_external",
    {"postUri": TEXT, "uri": TEXT, "title": TEXT, "description": TEXT, "thumbCid": TEXT},
    owner="postUri",
    order=("postUri",),
)
RECORD_EMBED = Table(
    "post_embed_record",
    {"postUri": TEXT, "embedUri": TEXT, "embedCid": TEXT},
    owner="postUri",
    order=("postUri", "embedUri"),
)
VIDEO = Table("post_embed_video", {"postUri": TEXT, "videoCid": TEXT, "alt": TEXT}, owner="postUri", order=("postUri",))
QUOTE = Table(
    "quote",
    {"uri": TEXT, "cid": TEXT, "subject": TEXT, "subjectCid": TEXT, "createdAt": TEXT, "indexedAt": TEXT},
    # whatever CID the quoting post names (DIV-15)
    counters=(Counter("post_agg", "quoteCount", by="subject"),),
)
EMBED_TABLES = (IMAGE, EXTERNAL, RECORD_EMBED, VIDEO, QUOTE)


_RECORD = "app.bsky.embed.record"
_MEDIA = ("app.bsky.embed.images", "app.bsky.embed.video", "app.bsky.embed.external")


def _embeds(version: Version) -> tuple[dict[str, Any], ...]:
    """The embeds in the order of indexing: of a record with media the record first. Types match to the letter.

    A part of a record with media that calls itself something else was not validated as what it claims to be.
    """
    embed = version.value.get("embed")
    if embed is None:
        return ()
    if embed["$type"] != "app.bsky.embed.recordWithMedia":
        return (embed,)
    record, media = {"$type": _RECORD, **embed["record"]}, embed["media"]
    return tuple(part for part, allowed in ((record, (_RECORD,)), (media, _MEDIA)) if part["$type"] in allowed)


def embedded_record(version: Version) -> dict[str, Any] | None:
    """The uri and cid of the record that a post embeds."""
    for embed in _embeds(version):
        if embed["$type"] == "app.bsky.embed.record":
            reference: dict[str, Any] = embed["record"]
            return reference
    return None


def quoted_post(version: Version) -> str | None:
    """The URI of the post that a post quotes."""
    if "embed" not in version.value:
        return None
    embedded = embedded_record(version)
    if embedded and aturi.parse(embedded["uri"]).collection == "app.bsky.feed.post":
        uri: str = embedded["uri"]
        return uri
    return None


def embed_rows(version: Version, world: "World") -> Iterator[tuple[Table, Row]]:
    uri = version.uri
    for embed in _embeds(version):
        match embed["$type"]:
            case "app.bsky.embed.images":
                for position, image in enumerate(embed["images"]):
                    yield IMAGE, (uri, str(position), blob_cid(image["image"]), image["alt"])
            case "app.bsky.embed.external":
                link = embed["external"]
                thumb = blob_cid(link.get("thumb"))
                yield EXTERNAL, (uri, link["uri"], link["title"], link["description"], thumb)
            case "app.bsky.embed.video":
                yield VIDEO, (uri, blob_cid(embed["video"]), embed.get("alt"))
            case "app.bsky.embed.record":
                yield from _record_rows(version, embed["record"], world)


def _record_rows(version: Version, embedded: dict[str, Any], world: "World") -> Iterator[tuple[Table, Row]]:
    yield RECORD_EMBED, (version.uri, embedded["uri"], embedded["cid"])
    quoted = quoted_post(version)
    if quoted and not world.outlived(version.uri, quoted):
        yield QUOTE, (version.uri, version.cid, quoted, embedded["cid"], version.created_at, version.time)
