"""The hot path of a firehose consumer as a library: verified, bounded, and nothing of the daemon is imported.

Batch in, batch out. What is wrong with data is a value in the place of the result, a `Fault` (of JSON events a `Reject`
or `Ignored`); `checked` raises it for those who prefer that. Misuse raises TypeError or ValueError.

>>> from indexer import codec
>>> codec.dag_cbor_to_json([bytes.fromhex("a16474657874626869"), bytes.fromhex("a16474657874")])
[b'{"text":"hi"}', Fault(truncated: the input ends too early, at byte 6)]

Frames of a relay become stream events, and these become what an indexer needs:

>>> from indexer.codec.testing import build
>>> block = {"$type": "app.bsky.graph.block", "subject": build.DID, "createdAt": "2026-07-04T14:38:07Z"}
>>> records = {"app.bsky.graph.block/3l4cjkh6a7x2b": block}
>>> (frame,) = codec.decode_frames([build.commit_frame(records, seq=31)])
>>> frame
Frame(#commit, seq=31, 1 events)
>>> (event,) = codec.decode_events(frame.events)
>>> event.kind, event.uri, event.created_at
('create', 'at://did:plc:abcdefghijklmnopqrstuvwx/app.bsky.graph.block/3l4cjkh6a7x2b', '2026-07-04T14:38:07.000Z')

Repositories are read from any stream of bytes:

>>> import io
>>> repository = codec.checked(codec.read_car(io.BytesIO(build.repository_car(records))))
>>> repository.commit.did
'did:plc:abcdefghijklmnopqrstuvwx'
>>> list(repository)
[CarRecord(app.bsky.graph.block/3l4cjkh6a7x2b)]
>>> repository.is_complete
True
"""

from indexer._native import (
    FAULT_KINDS,
    AtUri,
    CarReader,
    CarRecord,
    Cid,
    Commit,
    Event,
    Fault,
    Frame,
    Ignored,
    Reject,
    Tid,
    dag_cbor_to_json,
    decode_dag_cbor,
    decode_frames,
    decode_labels,
    encode_dag_cbor,
    is_valid,
    normalize_timestamps,
    sanitize_text,
)
from indexer.codec.car import Repository, Tree, read_car, read_tree
from indexer.codec.errors import CodecError, CorruptError, LimitError, TruncatedError, checked
from indexer.codec.events import decode_events
from indexer.codec.limits import Limits

__all__ = [
    "FAULT_KINDS",
    "AtUri",
    "CarReader",
    "CarRecord",
    "Cid",
    "CodecError",
    "Commit",
    "CorruptError",
    "Event",
    "Fault",
    "Frame",
    "Ignored",
    "LimitError",
    "Limits",
    "Reject",
    "Repository",
    "Tid",
    "Tree",
    "TruncatedError",
    "checked",
    "dag_cbor_to_json",
    "decode_dag_cbor",
    "decode_events",
    "decode_frames",
    "decode_labels",
    "encode_dag_cbor",
    "is_valid",
    "normalize_timestamps",
    "read_car",
    "read_tree",
    "sanitize_text",
]
