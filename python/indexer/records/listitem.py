"""app.bsky.graph.listitem → list_item (records.md 5.5)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.fold import aturi
from indexer.fold.record_type import DATES, PROVENANCE, TEXT, Key, RecordType, Row, Table, Version, dates, provenance

if TYPE_CHECKING:
    from indexer.fold.world import World

LIST_ITEM = Table(
    "list_item", {**PROVENANCE, "subjectDid": TEXT, "listUri": TEXT, **DATES}, order=("listUri", "subjectDid")
)


def belongs(version: Version) -> bool:
    return aturi.authority(version.value["list"]) == version.creator


def key(version: Version) -> Key:
    return version.value["list"], version.value["subject"]


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    yield LIST_ITEM, (*provenance(version), version.value["subject"], version.value["list"], *dates(version))


RECORD = RecordType(
    "app.bsky.graph.listitem",
    (LIST_ITEM,),
    rows,
    duplicate_key=key,
    key_columns=("listUri", "subjectDid"),
    belongs=belongs,
)
