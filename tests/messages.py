"""Stream messages as the producers write them (streams.md 3), made up for tests: short names for long texts."""

import base64
import hashlib
import itertools
import json
from collections.abc import Mapping
from typing import Any

A, B, C, D = (f"did:plc:{letter * 24}" for letter in "abcd")

TIME = "2025-10-20T10:00:00.123456Z"
"""When an event happened, unless a test says otherwise."""
CREATED = "2025-10-20T09:00:00Z"
"""`createdAt` of records, unless a test says otherwise; the columns have it as `CREATED_COLUMN`."""
CREATED_COLUMN = "2025-10-20T09:00:00.000Z"

Record = dict[str, Any]


def cid(name: object) -> str:
    """A well-formed CID (version 1, DAG-CBOR, SHA-256), another one for each name."""
    digest = hashlib.sha256(str(name).encode()).digest()
    return "b" + base64.b32encode(b"\x01\x71\x12\x20" + digest).decode().lower().rstrip("=")


C0, C1, C2, C3 = (cid(n) for n in range(4))


def blob_cid(name: object) -> str:
    """As `cid`, of raw bytes."""
    digest = hashlib.sha256(str(name).encode()).digest()
    return "b" + base64.b32encode(b"\x01\x55\x12\x20" + digest).decode().lower().rstrip("=")


def rev(suffix: str) -> str:
    """A rev of October 2025 from its last two characters; they sort as given."""
    return f"3m000000000{suffix}"


REVS = [rev(first + second) for first, second in itertools.product("234567abcdefghijklmnopqrstuvwxyz", repeat=2)]
"""1,024 revs in ascending order."""


def uri(did: str, collection: str, rkey: str) -> str:
    return f"at://{did}/{collection}/{rkey}"


def post_uri(did: str, rkey: str) -> str:
    return uri(did, "app.bsky.feed.post", rkey)


def like_uri(did: str, rkey: str) -> str:
    return uri(did, "app.bsky.feed.like", rkey)


def repost_uri(did: str, rkey: str) -> str:
    return uri(did, "app.bsky.feed.repost", rkey)


def reference(uri: str, cid: str = C1) -> Record:
    return {"uri": uri, "cid": cid}


def record(collection: str, **properties: Any) -> Record:
    """A record with its `$type` and a `createdAt`, unless that is given; properties that are None are left out."""
    whole = {"$type": collection, "createdAt": CREATED, **properties}
    return {name: value for name, value in whole.items() if value is not None}


def post(text: str = "", *, parent: str | None = None, root: str | None = None, **properties: Any) -> Record:
    """A post; a reply where `parent` is given, in the thread of `root` (or of the parent)."""
    if parent is not None:
        properties["reply"] = {"parent": reference(parent), "root": reference(root or parent)}
    return record("app.bsky.feed.post", text=text, **properties)


def quote(subject: str, cid: str = C1) -> Record:
    """The embed of a post that quotes another."""
    return {"$type": "app.bsky.embed.record", "record": reference(subject, cid)}


def mention(*dids: str) -> list[Record]:
    """Facets that mention people."""
    return [
        {
            "index": {"byteStart": 0, "byteEnd": 1},
            "features": [{"$type": "app.bsky.richtext.facet#mention", "did": did} for did in dids],
        }
    ]


def blob(name: object, mime_type: str = "image/jpeg", size: int = 1000) -> Record:
    return {"$type": "blob", "ref": {"$link": blob_cid(name)}, "mimeType": mime_type, "size": size}


def like(subject: str, via: str | None = None) -> Record:
    return record("app.bsky.feed.like", subject=reference(subject), via=reference(via, C2) if via else None)


def repost(subject: str, via: str | None = None) -> Record:
    return record("app.bsky.feed.repost", subject=reference(subject), via=reference(via, C2) if via else None)


def follow(subject: str) -> Record:
    return record("app.bsky.graph.follow", subject=subject)


def listitem(list_uri: str, subject: str) -> Record:
    return record("app.bsky.graph.listitem", list=list_uri, subject=subject)


def threadgate(post_uri: str, **properties: Any) -> Record:
    return record("app.bsky.feed.threadgate", post=post_uri, **properties)


def postgate(post_uri: str, **properties: Any) -> Record:
    return record("app.bsky.feed.postgate", post=post_uri, **properties)


DISABLE = [{"$type": "app.bsky.feed.postgate#disableRule"}]
"""Rules of a post gate that nobody but the author may pass."""


def verification(subject: str, name: str = "Somebody") -> Record:
    return record("app.bsky.graph.verification", subject=subject, handle="some.test", displayName=name)


LABELER = f"did:plc:{'l' * 24}"


def label(uri: str = A, val: str = "spam", cts: str = CREATED_COLUMN, src: str = LABELER, **fields: Any) -> Record:
    """A label; `fields` are `cid`, `neg`, `exp` and the like."""
    return {"ver": 1, "src": src, "uri": uri, "val": val, "cts": cts, "sig": {"0": 1, "1": 2}, **fields}


def label_message(label: Any) -> bytes:
    """An entry of the TypeScript producer, for the field `event`."""
    return json.dumps({"type": "label", "label": label}).encode()


def label_frame(*labels: Any, seq: int = 1) -> bytes:
    """An entry of the Rust producer, for the field `labels`."""
    return json.dumps({"seq": seq, "labels": labels}).encode()


def create(uri: str, record: Any, rev: str = REVS[0], cid: str = C1, **fields: Any) -> bytes:
    return message("create", uri, rev, record=record, cid=cid, **fields)


def update(uri: str, record: Any, rev: str = REVS[0], cid: str = C1, **fields: Any) -> bytes:
    return message("update", uri, rev, record=record, cid=cid, **fields)


def delete(uri: str, rev: str = REVS[0], **fields: Any) -> bytes:
    return message("delete", uri, rev, **fields)


def message(kind: str, uri: str, rev: str, **fields: Any) -> bytes:
    """A message about a record; `fields` add to the envelope or replace its values, None leaves one out."""
    did, collection, rkey = uri.removeprefix("at://").split("/", 2)
    whole: Mapping[str, Any] = {
        "type": kind,
        "seq": 1,
        "time": TIME,
        "did": did,
        "commit": C0,
        "rev": rev,
        "collection": collection,
        "rkey": rkey,
        **fields,
    }
    return json.dumps({name: value for name, value in whole.items() if value is not None}).encode()


def identity(did: str = A, time: str = TIME) -> bytes:
    return json.dumps({"type": "identity", "seq": 1, "time": time, "did": did, "handle": "a.test"}).encode()


def account(did: str = A, time: str = TIME, **fields: Any) -> bytes:
    """An account event; `fields` are `active` and `status`."""
    return json.dumps({"type": "account", "seq": 1, "time": time, "did": did, **fields}).encode()
