"""The bundled recording; README.md beside it says where it is from."""

import gzip
from importlib.resources import files

import orjson

DATE = "2026-07-04"
COLLECTION = "app.bsky.feed.post"


def payloads() -> list[bytes]:
    """The text of each recorded stream event, in order."""
    packed = files("indexer.demo").joinpath("recording.jsonl.gz").read_bytes()
    return gzip.decompress(packed).splitlines()


def post_uris() -> list[str]:
    """The URIs of the posts that it creates, in order."""
    events = map(orjson.loads, payloads())
    return [
        f"at://{event['did']}/{COLLECTION}/{event['rkey']}"
        for event in events
        if event["type"] == "create" and event["collection"] == COLLECTION
    ]
