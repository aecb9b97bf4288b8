"""app.bsky.graph.block → actor_block (records.md 5.5)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.fold.record_type import DATES, PROVENANCE, TEXT, Key, RecordType, Row, Table, Version, dates, provenance

if TYPE_CHECKING:
    from indexer.fold.world import World

ACTOR_BLOCK = Table("actor_block", {**PROVENANCE, "subjectDid": TEXT, **DATES}, order=("creator", "subjectDid"))


def key(version: Version) -> Key:
    return version.creator, version.value["subject"]


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    yield ACTOR_BLOCK, (*provenance(version), version.value["subject"], *dates(version))


RECORD = RecordType(
    "app.bsky.graph.block", (ACTOR_BLOCK,), rows, duplicate_key=key, key_columns=("creator", "subjectDid")
)
