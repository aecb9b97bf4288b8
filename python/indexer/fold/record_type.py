"""What a record type is: data and pure functions. No I/O, no SQL, no clock."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

if TYPE_CHECKING:
    from indexer.fold.world import Questions, World

Row = tuple[object, ...]
Key = tuple[str, ...]


class Version(Protocol):
    """One version of a record that was validated: an event that carries it, or the stored record read back."""

    @property
    def uri(self) -> str: ...
    @property
    def creator(self) -> str: ...
    @property
    def rkey(self) -> str: ...
    @property
    def cid(self) -> str: ...
    @property
    def time(self) -> str: ...
    @property
    def value(self) -> dict[str, Any]: ...
    @property
    def created_at(self) -> str | None: ...
    @property
    def description_facets(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """A version read back from `record`; `time` is the record's indexedAt."""

    uri: str
    creator: str
    rkey: str
    cid: str
    time: str
    value: dict[str, Any]
    created_at: str | None
    description_facets: str | None

    @classmethod
    def of(cls, version: Version, time: str) -> "StoredVersion":
        """The same version under the indexedAt of its record."""
        return cls(
            version.uri,
            version.creator,
            version.rkey,
            version.cid,
            time,
            version.value,
            version.created_at,
            version.description_facets,
        )


@dataclass(frozen=True, slots=True)
class Counter:
    """A column of an aggregate table that counts the rows of a table by the value of one column (records.md 8)."""

    aggregate: Literal["post_agg", "profile_agg"]
    column: str
    by: str
    unless: str | None = None
    """A boolean column: rows where it is true do not count."""


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table that records are written to.

    `columns` maps names to types in the order of a row; `owner` names the column with the URI of the record that a
    row belongs to; rows are inserted in the order of `order`, so that writers wait for each other in one order.
    """

    name: str
    columns: dict[str, str]
    owner: str = "uri"
    order: Key = ("uri",)
    counters: tuple[Counter, ...] = ()

    def index(self, column: str) -> int:
        """The position of a column in a row."""
        return list(self.columns).index(column)


TEXT = "text"
PROVENANCE = {"uri": TEXT, "cid": TEXT, "creator": TEXT}
DATES = {"createdAt": TEXT, "indexedAt": TEXT}


class Notice(NamedTuple):
    """A row of `notification`, but for the last field.

    `thread` is the root of the thread of `subject` where this batch knows it better than the database does: a URI, ''
    where no such post exists, None where the database is to be asked (records.md 2.5, thread mutes).
    """

    recipient: str
    record_uri: str
    record_cid: str
    author: str
    reason: str
    subject: str | None
    sort_at: str
    thread: str | None = None


NO_NOTICES: tuple[Notice, ...] = ()


def _no_rows(_version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    return ()


def _no_notices(_version: Version, _world: "World") -> Iterable[Notice]:
    return NO_NOTICES


@dataclass(frozen=True, slots=True)
class RecordType:
    """How the records of one collection become rows (records.md 5).

    An update is a removal and an insertion, so a type states rows only once. `rows` gives the rows of an indexed
    record. Of the live records of a repository with one `duplicate_key` only one is indexed; `attached` gives rows
    that each of them has all the same. `notices` are the notifications of an insertion; `retract` says what happens
    to them when the record goes: `unless_replaced` by a duplicate, `always` or `never`. `farewell` are notifications
    of a removal or replacement. `belongs` refuses a record that is not its owner's to write. `asks` names what has to
    be read before the record can be judged; `arrive` and `depart` tell the world of a version that begins or ends.
    """

    collection: str
    tables: tuple[Table, ...] = ()
    rows: Callable[[Version, "World"], Iterable[tuple[Table, Row]]] = _no_rows
    attached_tables: tuple[Table, ...] = ()
    attached: Callable[[Version, "World"], Iterable[tuple[Table, Row]]] = _no_rows
    duplicate_key: Callable[[Version], Key] | None = None
    key_columns: Key = ()
    """The columns of the first table that hold `duplicate_key`, in its order."""
    belongs: Callable[[Version], bool] | None = None
    asks: Callable[[Version, "Questions"], None] | None = None
    arrive: Callable[[Version, "World"], None] | None = None
    depart: Callable[[str, "World"], None] | None = None
    notices: Callable[[Version, "World"], Iterable[Notice]] = _no_notices
    retract: Literal["unless_replaced", "always", "never"] = "never"
    hangs_on: Callable[[Version], str | None] | None = None
    """The post that a record's feed item or quote hangs on (DIV-18)."""
    is_hung_on: bool = False
    """Whether quotes and feed items hang on records of this type (DIV-18): posts."""
    farewell: Callable[[str, str, str, Key, str], Iterable[Notice]] | None = None
    """Called with URI, creator, CID and duplicate key of the row that goes, and the wall clock."""


def provenance(version: Version) -> tuple[object, object, object]:
    """The values of `PROVENANCE`: which record a row comes from, in which version, and whose it is."""
    return version.uri, version.cid, version.creator


def dates(version: Version) -> tuple[object, object]:
    """The values of `DATES`: createdAt normalized, the event's time verbatim."""
    return version.created_at, version.time


def sort_at(created_at: str | None, time: str) -> str:
    """The lesser of two times as texts, byte by byte: what the database generates where it generates sortAt."""
    return min(created_at or time, time)


def blob_cid(value: dict[str, Any] | None) -> str | None:
    """The CID text of a typed or untyped blob."""
    if value is None:
        return None
    cid: str = value["ref"]["$link"] if "ref" in value else value["cid"]
    return cid
