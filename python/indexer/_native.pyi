"""The contract of the Rust module: bytes in, values out, one crossing per batch.

Bad data never raises: each payload becomes exactly one `Event`, `Reject` or `Ignored`, in input order.
"""

from collections.abc import Sequence
from typing import Any, Final, final

REJECT_REASONS: Final[tuple[str, ...]]
"""The closed list of reasons of `Reject` (the word before the colon of a dead letter's cause)."""
IGNORED_REASONS: Final[tuple[str, ...]]
"""The closed list of reasons of `Ignored`."""
COLLECTIONS: Final[tuple[str, ...]]
"""The record types that are validated and described in full, by their NSID."""
DEBUG_BUILD: Final[bool]
"""True when compiled without optimization: do not measure such a build."""
VERSION: Final[str]
"""The crate's version, the single source of the package's version."""

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

def decode_records(items: Sequence[tuple[str, str]], /) -> list[Record | None]:
    """Decode stored records: pairs of (collection, `record.json`); one result per pair, input order kept.

    None where the text is no valid record of that collection. `value` holds the declared top-level properties as
    plain data: texts without NUL, lone surrogates as U+FFFD; CIDs in canonical text; blobs as
    `{"$type": "blob", "ref": {"$link": cid}, "mimeType": ..., "size": ...}` or `{"cid": cid, "mimeType": ...}`.
    """

def normalize_timestamps(texts: Sequence[str], /) -> list[str | None]:
    """`createdAt` texts in the form of the columns, `YYYY-MM-DDTHH:mm:ss.sssZ`; same length and order.

    None where the text is no valid `datetime` (records.md 4.1). Valid texts that denote no instant between the years
    0010 and 9999 give 1970-01-01T00:00:00.000Z (records.md 4.2).
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
