"""Input that a strict decoder must refuse, and the kind of fault that ours gives for it.

>>> for case in ITEMS[:2]:
...     print(case.name, case.data.hex(), case.kind)
empty  truncated
no number after its head 18 truncated
"""

from dataclasses import dataclass

from indexer._native import Cid
from indexer.codec.testing import build


@dataclass(frozen=True, slots=True)
class Case:
    """One input."""

    name: str
    data: bytes
    kind: str
    """The fault of ours; others will have words of their own."""


def _nested(levels: int, opening: bytes) -> bytes:
    return opening * levels + b"\x00"


_ITEMS = {
    "empty": ("", "truncated"),
    "no number after its head": ("18", "truncated"),
    "half a number": ("1a0001", "truncated"),
    "text shorter than stated": ("6261", "truncated"),
    "text of 2^64 - 1 bytes": ("7bffffffffffffffff", "truncated"),
    "bytes of 2^63 bytes": ("5b8000000000000000", "truncated"),
    "array of 2^64 - 1 items": ("9bffffffffffffffff", "truncated"),
    "map of 2^63 - 1 entries": ("bb7fffffffffffffff", "truncated"),
    "map without its last value": ("a16161", "truncated"),
    "half a float": ("fb3ff8", "truncated"),
    "23 in two bytes": ("1817", "not_minimal"),
    "255 in three bytes": ("1900ff", "not_minimal"),
    "65535 in five bytes": ("1a0000ffff", "not_minimal"),
    "2^32 - 1 in nine bytes": ("1b00000000ffffffff", "not_minimal"),
    "-1 in two bytes": ("3800", "not_minimal"),
    "long length of a text": ("780161", "not_minimal"),
    "long length of an array": ("980100", "not_minimal"),
    "long length of a map": ("b801616100", "not_minimal"),
    "long tag": ("d9002a4100", "not_minimal"),
    "array without a length": ("9f00ff", "indefinite"),
    "map without a length": ("bf616100ff", "indefinite"),
    "text in pieces": ("7f6161ff", "indefinite"),
    "bytes in pieces": ("5f4100ff", "indefinite"),
    "a break": ("ff", "indefinite"),
    "reserved head": ("1c", "reserved"),
    "undefined": ("f7", "bad_simple"),
    "simple value 255": ("f8ff", "bad_simple"),
    "float of 16 bits": ("f93c00", "bad_float"),
    "float of 32 bits": ("fa3f800000", "bad_float"),
    "NaN": ("fb7ff8000000000000", "bad_float"),
    "infinity": ("fb7ff0000000000000", "bad_float"),
    "a date": ("c11a514b67b0", "bad_tag"),
    "a big number": ("c249010000000000000000", "bad_tag"),
    "link in a text": ("d82a6100", "bad_link"),
    "link without its zero byte": ("d82a45015500 0100".replace(" ", ""), "bad_link"),
    "link to nothing": ("d82a4100", "bad_link"),
    "link of version 0 with a short hash": ("d82a4400120100", "bad_link"),
    "link with more behind it": ("d82a4600015500 0000".replace(" ", ""), "bad_link"),
    "key that is a number": ("a10000", "bad_key"),
    "key that is bytes": ("a1416100", "bad_key"),
    "keys by their bytes instead of their length": ("a2626161 00 616200".replace(" ", ""), "unsorted_keys"),
    "keys out of order": ("a2616200616100", "unsorted_keys"),
    "the same key twice": ("a2616100616100", "duplicate_key"),
    "two items": ("0000", "trailing"),
}

ITEMS = (
    *(Case(name, bytes.fromhex(text), kind) for name, (text, kind) in _ITEMS.items()),
    Case("10 million arrays in each other", _nested(10_000_000, b"\x81"), "too_deep"),
    Case("a million maps in each other", _nested(1_000_000, b"\xa1\x61a"), "too_deep"),
)
"""Single items of DAG-CBOR."""

_POST = {"$type": "app.bsky.feed.post", "text": "hi", "createdAt": build.TIME}
_PATH = "app.bsky.feed.post/3l4cjkh6a7x2b"
_BODY = build.commit_body({_PATH: _POST})


def _changed(**fields: object) -> bytes:
    body = {name: value for name, value in (_BODY | fields).items() if value is not ...}
    return build.message("#commit", body)


def _with_op(**fields: object) -> bytes:
    return _changed(ops=[_BODY["ops"][0] | fields])


def _holding(record: bytes) -> bytes:
    cid = Cid.of_dag_cbor(record)
    return _changed(
        ops=[{"action": "create", "path": _PATH, "cid": cid}], blocks=build.car([_BODY["commit"]], [(cid, record)])
    )


def _repeated(count: int) -> bytes:
    large = build.block({"a": "x" * 100_000})
    ops = [{"action": "create", "path": f"a.b.c/{number}", "cid": large[0]} for number in range(count)]
    return _changed(ops=ops, blocks=build.car([_BODY["commit"]], [large]))


def _deletions(count: int) -> bytes:
    ops = [{"action": "delete", "path": f"a.b.c/{number}", "cid": None} for number in range(count)]
    return _changed(ops=ops, repo="x" * 8000)


_NUL = b"\xa1\x61a\x7a\x00\x10\x00\x00" + bytes(1 << 20)

_FIELDS = ("seq", "repo", "rev", "time", "commit", "ops", "blocks")

FRAMES = (
    Case("empty", b"", "truncated"),
    Case("a header alone", build.frame({"op": 1, "t": "#commit"}, {})[:-1], "truncated"),
    Case("cut off", build.message("#commit", _BODY)[:-1], "truncated"),
    Case("bytes behind the body", build.message("#commit", _BODY) + b"\x00", "trailing"),
    Case("header that is no map", b"\x80\xa0", "bad_frame"),
    Case("header without a type", build.frame({"op": 1}, {}), "bad_frame"),
    Case("unknown operation", build.frame({"op": 2, "t": "#commit"}, {}), "bad_frame"),
    Case("body that is no map", build.frame({"op": 1, "t": "#commit"}, []), "bad_frame"),
    Case("header out of order", b"\xa2\x62op\x01\x61t\x67#commit" + build.message("", _BODY)[11:], "unsorted_keys"),
    *(Case(f"no {name}", _changed(**{name: ...}), "bad_frame") for name in _FIELDS),
    *(Case(f"{name} of another type", _changed(**{name: {}}), "bad_frame") for name in _FIELDS),
    Case("operation that is no map", _changed(ops=[1]), "bad_frame"),
    Case("operation without a path", _changed(ops=[{"action": "delete", "cid": None}]), "bad_frame"),
    Case("path of one part", _with_op(path="app.bsky.feed.post"), "bad_frame"),
    Case("path of three parts", _with_op(path=f"{_PATH}/x"), "bad_frame"),
    Case("cid that is text", _with_op(cid="bafy"), "bad_frame"),
    Case("no CAR", _changed(blocks=b""), "bad_car"),
    Case("CAR that is cut off", _changed(blocks=_BODY["blocks"][:-1]), "bad_car"),
    Case("CAR of version 2", _changed(blocks=_BODY["blocks"].replace(b"version\x01", b"version\x02")), "bad_car"),
    Case("block that was changed", _changed(blocks=_BODY["blocks"].replace(b"\x62hi", b"\x62ho")), "bad_hash"),
    Case("record that is a list", _holding(b"\x80"), "bad_record"),
    Case("record that ends within an item", _holding(b"\xa1\x61a"), "bad_record"),
    Case("record with more behind it", _holding(b"\xa0\x00"), "trailing"),
    Case("record with keys out of order", _holding(b"\xa2\x61b\x00\x61a\x00"), "unsorted_keys"),
    Case("record with a number in too many bytes", _holding(b"\xa1\x61a\x18\x01"), "not_minimal"),
    Case("record nested too deep", _holding(b"\xa1\x61a" + _nested(100_000, b"\x81")), "too_deep"),
    Case("record of a million NULs", _holding(_NUL), "too_big"),
    Case("a million empty byte strings", _holding(b"\xa1\x61a\x9a\x00\x10\x00\x00" + b"\x40" * (1 << 20)), "too_big"),
    Case("one record of 100 kB in 1,000 operations", _repeated(1000), "too_big"),
    Case("identifier of 8,000 bytes in 1,000 operations", _deletions(1000), "too_big"),
    Case("identifier of 1 MB", _changed(repo="x" * 1_000_000), "too_big"),
    Case("labels that are no list", build.message("#labels", {"seq": 1, "labels": {}}), "bad_frame"),
    Case("label that is no map", build.message("#labels", {"seq": 1, "labels": [1]}), "bad_frame"),
    Case(
        "account without its state",
        build.message("#account", {"seq": 1, "did": build.DID, "time": build.TIME}),
        "bad_frame",
    ),
)
"""Frames of subscriptions."""

_ROOT, _BLOCKS = build.repository({_PATH: _POST, "app.bsky.feed.like/3l4cjkh6a7x2b": {"$type": "app.bsky.feed.like"}})
_CAR = build.car([_ROOT], _BLOCKS.items())


def _tree(node: object, *more: tuple[Cid, bytes]) -> bytes:
    """A repository whose tree has that root."""
    data, block = build.block(node)
    root, signed = build.commit(data)
    return build.car([root], [(root, signed), (data, block), build.block(_POST), *more])


def _entry(key: bytes, prefix: int = 0, right: Cid | None = None) -> dict[str, object]:
    return {"k": key, "p": prefix, "t": right, "v": build.block(_POST)[0]}


# Two keys of the lowest layer, and one of the layer above.
_LOW = (b"a.b.c/1", b"a.b.c/2")
_HIGH = b"a.b.c/10"
assert [build.layer(key) for key in (*_LOW, _HIGH)] == [0, 0, 1]
_EMPTY = build.block({"e": [], "l": None})
_LEAF = build.block({"e": [_entry(_LOW[0])], "l": None})

CARS = (
    Case("empty", b"", "truncated"),
    Case("cut off in the header", _CAR[:30], "truncated"),
    Case("cut off in a block", _CAR[:-1], "truncated"),
    Case("cut off between blocks", build.car([_ROOT], [*_BLOCKS.items()][:-1]), "missing_block"),
    Case("a web page", b"<!doctype html>", "bad_car"),
    Case("an error in JSON", b'{"error":"RepoNotFound"}', "bad_car"),
    Case("a line behind the last block", _CAR + b"Connection closed", "bad_cid"),
    Case("header of 2^40 bytes", build.varint(1 << 40) + _CAR, "too_big"),
    Case("section of 2^40 bytes", build.car([_ROOT], []) + build.varint(1 << 40) + bytes(100), "too_big"),
    Case("length of ten bytes", b"\xff" * 10 + _CAR, "bad_car"),
    Case("length in too many bytes", b"\xba\x00" + _CAR[1:], "bad_car"),
    Case("empty section", _CAR + b"\x00", "bad_cid"),
    Case("version 2", _CAR.replace(b"version\x01", b"version\x02", 1), "bad_car"),
    Case("no root", build.car([], _BLOCKS.items()), "bad_car"),
    Case("two roots", build.car([_ROOT, _ROOT], _BLOCKS.items()), "bad_car"),
    Case("root that is not there", build.car([Cid.of_dag_cbor(b"")], _BLOCKS.items()), "missing_block"),
    Case("block that was changed", _CAR.replace(b"\x62hi", b"\x62ho"), "bad_hash"),
    Case(
        "block with another hash function",
        build.car([_ROOT], [(Cid.from_bytes(b"\x01\x55\x13\x01x"), b"x" * 40)]),
        "bad_cid",
    ),
    Case("root that is no commit", build.car([_EMPTY[0]], [_EMPTY]), "bad_commit"),
    Case("tree that is a list", _tree([]), "bad_tree"),
    Case(
        "node without entries and child, below the root",
        _tree({"e": [_entry(_HIGH)], "l": _EMPTY[0]}, _EMPTY),
        "bad_tree",
    ),
    Case("root without entries", _tree({"e": [], "l": _LEAF[0]}, _LEAF), "bad_tree"),
    Case("node with more fields", _tree({"e": [], "l": None, "x": None}), "bad_tree"),
    Case("entry with more fields", _tree({"e": [_entry(_LOW[0]) | {"x": 1}], "l": None}), "bad_tree"),
    Case("keys out of order", _tree({"e": [_entry(_LOW[1]), _entry(b"1", 6)], "l": None}), "bad_tree"),
    Case("the same key twice", _tree({"e": [_entry(_LOW[0]), _entry(b"", 7)], "l": None}), "bad_tree"),
    Case("prefix that is too short", _tree({"e": [_entry(_LOW[0]), _entry(_LOW[1])], "l": None}), "bad_tree"),
    Case("prefix that is too long", _tree({"e": [_entry(_LOW[0]), _entry(b"x", 8)], "l": None}), "bad_tree"),
    Case("prefix of 2^64 - 1", _tree({"e": [_entry(_LOW[0]), _entry(b"x", (1 << 64) - 1)], "l": None}), "bad_tree"),
    Case("key in a foreign layer", _tree({"e": [_entry(_LOW[0]), _entry(b"0", 7)], "l": None}), "bad_tree"),
    Case("child that is too high", _tree({"e": [_entry(_LOW[1])], "l": _LEAF[0]}, _LEAF), "bad_tree"),
    Case("child with greater keys", _tree({"e": [_entry(b"a.b.c/10", right=_LEAF[0])], "l": None}, _LEAF), "bad_tree"),
    Case("one child twice", _tree({"e": [_entry(_HIGH, right=_LEAF[0])], "l": _LEAF[0]}, _LEAF), "bad_tree"),
    Case("key of 2,000 bytes", _tree({"e": [_entry(b"a/" + b"x" * 2000)], "l": None}), "bad_tree"),
    Case("key without a slash", build.repository_car({"post": _POST}), "bad_tree"),
    Case("record that is a list", build.repository_car({_PATH: [_POST]}), "bad_record"),
    Case(
        "record that is not there",
        build.car([_ROOT], [item for item in _BLOCKS.items() if b"\x62hi" not in item[1]]),
        "missing_block",
    ),
)
"""CAR files of repositories: the only fault of each, be it found at once or with a record."""
