"""The contract of the Rust module: bytes in, values out, one crossing per batch.

Bad data never raises: each payload becomes exactly one `Event` (or the labels of an entry), `Reject` or `Ignored`, in
input order.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal, final

REJECT_REASONS: Final[tuple[str, ...]]
"""The closed list of reasons of `Reject` (the word before the colon of a dead letter's cause)."""
IGNORED_REASONS: Final[tuple[str, ...]]
"""The closed list of reasons of `Ignored`."""
FAULT_KINDS: Final[tuple[str, ...]]
"""The closed list of kinds of `Fault`."""
COLLECTIONS: Final[tuple[str, ...]]
"""The record types that are validated and described in full, by their NSID."""
DEBUG_BUILD: Final[bool]
"""True when compiled without optimization: do not measure such a build."""
VERSION: Final[str]
"""The crate's version, the single source of the package's version."""
COMMIT: Final[str]
"""What INDEXER_COMMIT held when it was compiled; `unknown` without it."""
TARGET: Final[str]
"""The target triple that it was compiled for."""
RUST: Final[str]
"""The version of the Rust compiler."""

@final
class Event:
    """One stream event that passed every check that needs no database.

    Fields that a kind does not have are None. All texts are valid UTF-8.
    """

    @property
    def kind(self) -> str:
        """`create`, `update`, `delete`, `repo`, `account` or `identity`."""
    @property
    def did(self) -> str:
        """The repository, as the event names it."""
    @property
    def time(self) -> str:
        """The event's time, verbatim."""
    @property
    def backfill(self) -> bool | None:
        """True when `seq` is -1 or -2, None when there is no `seq` (the stream decides), else False."""
    @property
    def rev(self) -> str | None: ...
    @property
    def commit(self) -> str | None:
        """The commit's CID in canonical text (create, update, delete, repo)."""
    @property
    def uri(self) -> str | None:
        """The record's AT-URI (create, update, delete)."""
    @property
    def creator(self) -> str | None:
        """The authority of `uri`."""
    @property
    def collection(self) -> str | None:
        """The collection segment of `uri`."""
    @property
    def rkey(self) -> str | None:
        """The record key segment of `uri`."""
    @property
    def cid(self) -> str | None:
        """The record's CID in canonical text (create and update of one of `COLLECTIONS`)."""
    @property
    def json(self) -> str | None:
        """`record.json`, byte for byte what the reference stores (create and update of one of `COLLECTIONS`)."""
    @property
    def value(self) -> dict[str, Any] | None:
        """The record's declared top-level properties, as data for columns (see `decode_records`)."""
    @property
    def created_at(self) -> str | None:
        """`createdAt` normalized to `YYYY-MM-DDTHH:mm:ss.sssZ`; None when the record has none."""
    @property
    def description_facets(self) -> str | None:
        """The record's `descriptionFacets` as JSON text."""
    @property
    def cleaned(self) -> bool:
        """True when NUL or a lone surrogate was taken out of a text in `value`."""
    @property
    def active(self) -> bool | None:
        """Of an account event: `active`, None when absent or not a boolean."""
    @property
    def status(self) -> str | None:
        """Of an account event: `status` in lower case, None when absent or not a string."""

@final
class Record:
    """A stored record, decoded again: the fields of the same name of `Event`."""

    @property
    def value(self) -> dict[str, Any]: ...
    @property
    def created_at(self) -> str | None: ...
    @property
    def description_facets(self) -> str | None: ...

@final
class Reject:
    """A payload that can never be processed: a dead letter."""

    @property
    def reason(self) -> str:
        """One of `REJECT_REASONS`."""
    @property
    def cause(self) -> str:
        """The reason, followed by `:` and the field or path where there is one (`missing_field:cid`)."""
    @property
    def detail(self) -> str:
        """A sentence for people: what was found and what is allowed. At most 300 characters, no NUL."""

@final
class Ignored:
    """A payload that rightly has no effect."""

    @property
    def reason(self) -> str:
        """One of `IGNORED_REASONS`."""

def decode_events(payloads: Sequence[bytes], clocks_ms: Sequence[int], /) -> list[Event | Reject | Ignored]:
    """Decode stream events of both dialects (streams.md 3): one result per payload, input order kept.

    `clocks_ms` holds, per payload, "now" in milliseconds since the epoch: a rev that sorts after the TID of now plus
    five minutes is refused (`bad_rev`). The GIL is released while parsing, held while results are built.
    TypeError if an item is not bytes; ValueError if the lengths differ. Bad data never raises.
    """

def decode_labels(
    payloads: Sequence[bytes], /
) -> list[list[tuple[str, str, str, str, bool, str, str | None]] | Reject | Ignored]:
    """Decode entries of the stream of labels, both dialects (streams.md 4): one result per payload, input order kept.

    The labels of an entry, in its order, are tuples of `src`, `uri`, `cid` (empty where there is none), `val`, `neg`,
    `cts`, `exp`; texts that PostgreSQL accepts, `src`, `uri`, `val` and `cts` not empty (actors.md 5). An entry with
    one bad label is a `Reject`. The GIL is released while parsing. TypeError if an item is not bytes.
    """

def decode_records(items: Sequence[tuple[str, str]], /) -> list[Record | None]:
    """Decode stored records: pairs of (collection, `record.json`); one result per pair, input order kept.

    None where the text is no valid record of that collection. `value` holds the declared top-level properties as
    plain data: texts without NUL, lone surrogates as U+FFFD; CIDs in canonical text; blobs as
    `{"$type": "blob", "ref": {"$link": cid}, "mimeType": ..., "size": ...}` or `{"cid": cid, "mimeType": ...}`.
    """

def encode_copy(rows: Sequence[tuple[object, ...]], types: Sequence[str], /) -> bytes:
    """Rows as PostgreSQL's COPY reads them in binary, header and trailer included; order kept.

    `types` names one of `text`, `jsonb` (its text) and `boolean` per value of a row, or `""` for one that is left out;
    None is NULL. TypeError for a value of another type; ValueError for a row of another length, an unknown type or a
    lone surrogate.
    """

def encode_text_array(texts: list[str] | list[str | None], /) -> bytes:
    """Texts as PostgreSQL reads a `text[]` of one dimension in binary; None is NULL.

    TypeError for an element of another type; ValueError for a lone surrogate.
    """

def normalize_timestamps(texts: Sequence[str], /) -> list[str | None]:
    """`createdAt` texts in the form of the columns, `YYYY-MM-DDTHH:mm:ss.sssZ`; same length and order.

    None where the text is no valid `datetime` (records.md 4.1). Valid texts that denote no instant between the years
    0010 and 9999 give 1970-01-01T00:00:00.000Z (records.md 4.2). A text in that form is the same object.
    """

def parse_dates(texts: Sequence[str], /) -> list[int | None]:
    """Texts as JavaScript's `Date.parse` reads them: milliseconds since the epoch; same length and order.

    None for NaN. ISO 8601 with any number of fraction digits, and PostgreSQL's timestamp text; without a zone in UTC.
    """

def sanitize_text(text: str | bytes, /) -> str:
    """Text that PostgreSQL accepts: valid UTF-8, no NUL, U+FFFD for lone surrogates and bad sequences.

    The same object where nothing needs repair.
    """

def is_valid(format: str, text: str, /) -> bool:
    """Whether `text` has the lexicon string format `format` (records.md 3.2): `at-uri`, `at-identifier`, `cid`,
    `datetime`, `did`, `handle`, `language`, `nsid`, `record-key`, `tid`, `uri`. ValueError for another format.
    """

@final
class Fault:
    """Binary input that cannot be read: its first fault."""

    @property
    def kind(self) -> str:
        """One of `FAULT_KINDS`."""
    @property
    def group(self) -> Literal["truncated", "corrupt", "limit"]:
        """`truncated`: more bytes might make it right; `corrupt`: none do; `limit`: more than was allowed."""
    @property
    def at(self) -> int:
        """Bytes of the input in front of it."""
    @property
    def place(self) -> str:
        """A field, a path, a CID: what else is known; may be empty."""
    @property
    def detail(self) -> str:
        """A sentence for people."""
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...

@final
class Cid:
    """A content identifier, of either version. Equal, ordered and hashed by its binary form."""

    def __new__(cls, text: str, /) -> Cid:
        """ValueError where the text is none: in base32 (`b`) or base58 (`z`, `Qm`), as the reference reads them."""
    @staticmethod
    def from_bytes(data: bytes, /) -> Cid:
        """Of the binary form, which must be the shortest; else ValueError."""
    @staticmethod
    def of_dag_cbor(block: bytes, /) -> Cid:
        """Of a block of DAG-CBOR: version 1, SHA-256."""
    @staticmethod
    def of_raw(block: bytes, /) -> Cid:
        """Of a raw block, as a blob is: version 1, SHA-256."""
    @property
    def version(self) -> int: ...
    @property
    def codec(self) -> int:
        """Multicodec of the content: 0x71 is DAG-CBOR, 0x55 raw."""
    @property
    def hash_code(self) -> int:
        """Multicodec of the hash function: 0x12 is SHA-256."""
    @property
    def digest(self) -> bytes: ...
    def __bytes__(self) -> bytes: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __lt__(self, other: Cid, /) -> bool: ...
    def __le__(self, other: Cid, /) -> bool: ...
    def __gt__(self, other: Cid, /) -> bool: ...
    def __ge__(self, other: Cid, /) -> bool: ...

@final
class Tid:
    """A timestamp identifier: a rev, most record keys. Ordered like its text, by time."""

    def __new__(cls, text: str, /) -> Tid:
        """ValueError where the text is none."""
    @staticmethod
    def from_microseconds(microseconds: int, clock_id: int = 0) -> Tid:
        """Of microseconds since 1970 (53 bits) and a clock id (10 bits); ValueError beyond these."""
    @property
    def microseconds(self) -> int:
        """Since 1970."""
    @property
    def clock_id(self) -> int: ...
    def __int__(self) -> int: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __lt__(self, other: Tid, /) -> bool: ...
    def __le__(self, other: Tid, /) -> bool: ...
    def __gt__(self, other: Tid, /) -> bool: ...
    def __ge__(self, other: Tid, /) -> bool: ...

@final
class AtUri:
    """An AT-URI, read as leniently as the reference does (records.md 1.1); `is_valid` knows the strict form."""

    def __new__(cls, text: str, /) -> AtUri:
        """ValueError where the text is none."""
    @property
    def authority(self) -> str:
        """A DID or a handle."""
    @property
    def collection(self) -> str | None: ...
    @property
    def rkey(self) -> str | None: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __lt__(self, other: AtUri, /) -> bool: ...
    def __le__(self, other: AtUri, /) -> bool: ...
    def __gt__(self, other: AtUri, /) -> bool: ...
    def __ge__(self, other: AtUri, /) -> bool: ...

@final
class Frame:
    """A frame of `subscribeRepos` or `subscribeLabels`."""

    @property
    def kind(self) -> str:
        """`#commit`, `#identity`, `#account`, `#sync`, `#labels`, `#info`, ...; `error` for an error."""
    @property
    def seq(self) -> int | None:
        """Its place in the stream: the cursor, once its events are safe."""
    @property
    def events(self) -> list[bytes]:
        """Stream events (JSON), in the order of the operations: what `decode_events` or `decode_labels` take."""
    @property
    def skipped(self) -> int:
        """Creates and updates that have no event, because the frame does not hold their record."""
    @property
    def name(self) -> str | None:
        """Of `#info` and errors, as `OutdatedCursor`."""
    @property
    def message(self) -> str | None:
        """Of `#info` and errors."""

@final
class Commit:
    """The signed root of a repository. All but the signature was verified."""

    @property
    def cid(self) -> Cid: ...
    @property
    def did(self) -> str: ...
    @property
    def rev(self) -> str | None:
        """None in commits of version 2, which have none."""
    @property
    def version(self) -> int:
        """2 or 3."""
    @property
    def data(self) -> Cid:
        """The root of the tree."""
    @property
    def sig(self) -> bytes: ...
    @property
    def unsigned(self) -> bytes:
        """What `sig` signs: the commit without it."""

@final
class CarRecord:
    """A record out of a CAR file."""

    @property
    def collection(self) -> str: ...
    @property
    def rkey(self) -> str: ...
    @property
    def cid(self) -> Cid: ...
    @property
    def json(self) -> bytes:
        """The record as data-model JSON."""

@final
class CarReader:
    """Takes a repository's CAR file in pieces: `feed` each, `finish`, then `records` until there are none.

    `indexer.codec.read_car` describes the limits. The spool is in memory up to `memory` bytes, then a temporary file.
    Every method releases the GIL while it works. OSError where the spool fails.
    """

    def __new__(
        cls,
        *,
        max_bytes: int,
        max_blocks: int,
        max_section: int,
        max_depth: int,
        max_path: int,
        memory: int,
    ) -> CarReader: ...
    @property
    def received(self) -> int:
        """Bytes that were fed."""
    def feed(self, piece: bytes, /) -> Fault | None:
        """Take the next piece of any length. ValueError after the end or a fault."""
    def too_slow(self, what: str, /) -> Fault:
        """Give up: the fault `too_slow`, with these words."""
    def finish(self) -> Commit | Fault:
        """The file ends here: its commit. ValueError after the end or a fault."""
    def finish_tree(self) -> Fault | None:
        """The file ends here; its root may be a commit or a node. ValueError after the end or a fault."""
    def records(self, count: int, /) -> list[CarRecord | Fault]:
        """The next records in the order of their keys, at most `count`; none at the end. ValueError before `finish`."""
    def entries(self, count: int, /) -> list[tuple[bytes, Cid] | Fault]:
        """As `records`, but keys and CIDs only: the records need not be there."""

def decode_frames(
    frames: Sequence[bytes], /, *, max_bytes: int = 16777216, max_depth: int = 1000
) -> list[Frame | Fault]:
    """Decode frames of `subscribeRepos` and `subscribeLabels`: one result per frame, input order kept.

    Every block that a commit carries is hashed; of the records only those that its operations name are read. What fails
    in a frame fails the frame. Not verified: signatures. The GIL is released while decoding. TypeError if an item is
    not bytes.
    """

def dag_cbor_to_json(blocks: Sequence[bytes], /, *, max_depth: int = 1000) -> list[bytes | Fault]:
    """Items of DAG-CBOR as data-model JSON (streams.md 3.4): one text per item, input order kept.

    A text is at most three times as long as its item, and 64 KiB; else `too_big`. The GIL is released while decoding.
    TypeError if an item is not bytes.
    """

def decode_dag_cbor(blocks: Sequence[bytes], /, *, max_depth: int = 1000) -> list[Any]:
    """Items of DAG-CBOR as Python data, or `Fault`: one result per item, input order kept.

    Maps are dict, arrays list, links `Cid`. The GIL is held: what takes time is to make the objects.
    TypeError if an item is not bytes.
    """

def encode_dag_cbor(values: Sequence[object], /, *, max_depth: int = 1000) -> list[bytes]:
    """Python data as DAG-CBOR: one item per value, input order kept.

    Takes dict with keys of type str, list, tuple, str, bytes, int, bool, float, None and `Cid`. TypeError for other
    types, ValueError for integers of more than 64 bits, floats that are not finite, lone surrogates, and what is nested
    too deep.
    """
