"""Repositories, CAR files and frames in plain Python, from the specification: slow, to judge what is quick."""

import hashlib
import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from indexer._native import Cid, encode_dag_cbor

DID = "did:plc:abcdefghijklmnopqrstuvwx"
REV = "3l4cjkh6a7x2b"
TIME = "2026-07-04T14:38:07.517Z"

Blocks = dict[Cid, bytes]


def block(value: object) -> tuple[Cid, bytes]:
    """A value as DAG-CBOR, behind its CID."""
    (data,) = encode_dag_cbor([value])
    return Cid.of_dag_cbor(data), data


def layer(key: bytes) -> int:
    """The layer of a key in a tree: half the leading zero bits of its hash.

    >>> layer(b"app.bsky.feed.post/9adeb165882c")
    8
    """
    return (256 - int.from_bytes(hashlib.sha256(key).digest()).bit_length()) // 2


def shared(left: bytes, right: bytes) -> int:
    """How many bytes two keys have in common at their starts.

    >>> shared(b"app.bsky.feed.like/1", b"app.bsky.feed.post/1")
    14
    """
    differs = (at for at, (one, other) in enumerate(zip(left, right, strict=False)) if one != other)
    return next(differs, min(len(left), len(right)))


def tree(entries: Mapping[bytes, Cid]) -> tuple[Cid, Blocks]:
    """The root of the tree with these entries, and all its nodes, each in front of what is below it.

    >>> str(tree({})[0])
    'bafyreie5737gdxlw5i64vzichcalba3z2v5n6icifvx5xytvske7mr3hpm'
    """
    blocks: Blocks = {}
    ordered = sorted(entries.items())
    root = _node(ordered, max((layer(key) for key in entries), default=0), blocks)
    return root, dict(reversed(blocks.items()))


def _node(entries: list[tuple[bytes, Cid]], height: int, blocks: Blocks) -> Cid:
    """Add the node with all of these entries, which lie in this layer or below it."""
    places = [place for place, (key, _) in enumerate(entries) if layer(key) == height]
    bounds = [-1, *places, len(entries)]
    gaps = [entries[start + 1 : end] for start, end in itertools.pairwise(bounds)]
    children = [_node(gap, height - 1, blocks) if gap else None for gap in reversed(gaps)][::-1]
    items, before = [], b""
    for place, right in zip(places, children[1:], strict=True):
        key, value = entries[place]
        prefix = shared(before, key)
        items.append({"p": prefix, "k": key[prefix:], "v": value, "t": right})
        before = key
    cid, data = block({"l": children[0], "e": items})
    blocks[cid] = data
    return cid


def varint(number: int) -> bytes:
    """A length as CAR files have it.

    >>> varint(300).hex()
    'ac02'
    """
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def car(roots: Iterable[Cid], blocks: Iterable[tuple[Cid, bytes]]) -> bytes:
    """A CAR file of version 1."""
    (header,) = encode_dag_cbor([{"roots": list(roots), "version": 1}])
    sections = [header, *(bytes(cid) + data for cid, data in blocks)]
    return b"".join(varint(len(section)) + section for section in sections)


def commit(data: Cid, *, did: str = DID, rev: str = REV) -> tuple[Cid, bytes]:
    """A commit on a tree, with a signature that is none."""
    return block({"did": did, "rev": rev, "data": data, "prev": None, "version": 3, "sig": bytes(64)})


def repository(records: Mapping[str, Any], *, did: str = DID, rev: str = REV) -> tuple[Cid, Blocks]:
    """The commit of a repository with these records by path (`collection/rkey`), and all blocks, the commit first."""
    made = {path.encode(): block(value) for path, value in records.items()}
    data, nodes = tree({key: cid for key, (cid, _) in made.items()})
    root, signed = commit(data, did=did, rev=rev)
    return root, {root: signed, **nodes, **dict(made.values())}


def repository_car(records: Mapping[str, Any], *, did: str = DID, rev: str = REV) -> bytes:
    """The CAR file of a repository.

    >>> len(repository_car({"app.bsky.feed.post/3l4cjkh6a7x2b": {"text": "hi"}}))
    462
    """
    root, blocks = repository(records, did=did, rev=rev)
    return car([root], blocks.items())


def frame(header: object, body: object) -> bytes:
    """A frame of a subscription."""
    return b"".join(encode_dag_cbor([header, body]))


def message(kind: str, body: object) -> bytes:
    """A frame with a message of that type, as `#identity`."""
    return frame({"op": 1, "t": kind}, body)


def commit_body(
    records: Mapping[str, Any], deleted: Iterable[str] = (), *, seq: int = 1, did: str = DID
) -> dict[str, Any]:
    """The body of a `#commit` that creates these records and deletes those paths."""
    root, blocks = repository(records, did=did)
    ops = [{"action": "create", "path": path, "cid": block(value)[0]} for path, value in records.items()]
    ops += [{"action": "delete", "path": path, "cid": None} for path in deleted]
    return {
        "seq": seq,
        "repo": did,
        "rev": REV,
        "since": None,
        "time": TIME,
        "commit": root,
        "blocks": car([root], blocks.items()),
        "ops": ops,
        "blobs": [],
        "rebase": False,
        "tooBig": False,
    }


def commit_frame(records: Mapping[str, Any], deleted: Iterable[str] = (), *, seq: int = 1, did: str = DID) -> bytes:
    """A frame with that body."""
    return message("#commit", commit_body(records, deleted, seq=seq, did=did))
