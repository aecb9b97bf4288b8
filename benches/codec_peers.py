"""What people use today for the codec's work, as they use it: each does less than ours, which verifies every hash."""

import io
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

try:
    import cbor2
    import cbrrr
    import libipld
    import msgspec
    import orjson
    from atproto import CAR, firehose_models, parse_subscribe_repos_message
except ImportError as error:
    pytest.exit(f"benches: {error.name} is missing; `make bench` installs requirements-bench.txt", 2)


class Found(NamedTuple):
    """What is found in a frame: the type of its message, its place, and the records of its operations by path."""

    kind: str
    seq: int
    records: dict[str, Any]


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _blocks(car: bytes, decode: Callable[[bytes], Any]) -> dict[bytes, Any]:
    """The blocks of a CAR, all decoded, as one does it by hand."""
    length, at = _varint(car, 0)
    at += length
    found = {}
    while at < len(car):
        length, at = _varint(car, at)
        found[car[at : at + 36]] = decode(car[at + 36 : at + length])
        at += length
    return found


def by_libipld(frame: bytes) -> Found:
    header, body = libipld.decode_dag_cbor_multi(frame)
    _, blocks = libipld.decode_car(body["blocks"])
    return Found(header["t"], body["seq"], {op["path"]: blocks[op["cid"]] for op in body["ops"] if op["cid"]})


def by_cbrrr(frame: bytes) -> Found:
    header, body = cbrrr.decode_multi_dag_cbor_in_violation_of_the_spec(frame)
    return _found(header, body, cbrrr.decode_dag_cbor, bytes)


def by_cbor2(frame: bytes) -> Found:
    decoder = cbor2.CBORDecoder(io.BytesIO(frame))
    header, body = decoder.decode(), decoder.decode()
    return _found(header, body, cbor2.loads, lambda tag: tag.value[1:])


def _found(header: Any, body: Any, decode: Callable[[bytes], Any], cid: Callable[[Any], bytes]) -> Found:
    blocks = _blocks(body["blocks"], decode)
    return Found(header["t"], body["seq"], {op["path"]: blocks[cid(op["cid"])] for op in body["ops"] if op["cid"]})


def by_sdk(frame: bytes) -> Found:
    parsed = parse_subscribe_repos_message(firehose_models.Frame.from_bytes(frame))
    blocks = CAR.from_bytes(parsed.blocks).blocks
    return Found("#commit", parsed.seq, {op.path: blocks.get(op.cid) for op in parsed.ops if op.cid})


def as_json(value: Any) -> Any:
    """Their value as data-model JSON: links are bytes, objects of their own or tags."""
    match value:
        case cbrrr.CID():
            return {"$link": value.encode()}
        case cbor2.CBORTag():
            return {"$link": cbrrr.CID(value.value[1:]).encode()}
        case bytes():
            return {"$link": cbrrr.CID(value).encode()}
        case list():
            return [as_json(item) for item in value]
        case dict():
            return {key: as_json(item) for key, item in value.items()}
    return value


FRAMES: Mapping[str, Callable[[bytes], Found]] = {
    "libipld: all blocks as objects, no hash": by_libipld,
    "cbrrr: all blocks as objects, no hash": by_cbrrr,
    "cbor2: all blocks as objects, no hash, not strict": by_cbor2,
    "atproto SDK: models, no hash": by_sdk,
}


def json_by_cbrrr(block: bytes) -> bytes:
    return orjson.dumps(cbrrr.decode_dag_cbor(block, atjson_mode=True))


_TEXTS = ("type", "did", "collection", "rkey", "rev", "time", "commit", "cid")
# The record is not looked into.
_ENVELOPES = msgspec.json.Decoder(
    msgspec.defstruct("Envelope", [*((name, str) for name in _TEXTS), ("seq", int), ("record", msgspec.Raw)])
)

Named = tuple[str, str, str, str, str]


def event_by_orjson(payload: bytes) -> Named:
    event = orjson.loads(payload)
    return event["type"], event["did"], event["collection"], event["rkey"], event["cid"]


def event_and_json_by_orjson(payload: bytes) -> Named:
    event = orjson.loads(payload)
    orjson.dumps(event["record"])
    return event["type"], event["did"], event["collection"], event["rkey"], event["cid"]


def event_by_msgspec(payload: bytes) -> Named:
    event = _ENVELOPES.decode(payload)
    return event.type, event.did, event.collection, event.rkey, event.cid


EVENTS: Mapping[str, Callable[[bytes], Named]] = {
    "orjson: nothing checked": event_by_orjson,
    "orjson: nothing checked, the record as JSON again": event_and_json_by_orjson,
    "msgspec: the record not read": event_by_msgspec,
}

RECORDS: Mapping[str, Callable[[bytes], Any]] = {
    "libipld": libipld.decode_dag_cbor,
    "cbrrr": cbrrr.decode_dag_cbor,
    "cbor2 (not strict)": cbor2.loads,
}
ENCODERS: Mapping[str, Callable[[Any], bytes]] = {
    "libipld": libipld.encode_dag_cbor,
    "cbrrr": cbrrr.encode_dag_cbor,
}
