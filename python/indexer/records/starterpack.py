"""app.bsky.graph.starterpack → starter_pack (records.md 5.6)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.fold.record_type import DATES, PROVENANCE, TEXT, RecordType, Row, Table, Version, dates, provenance

if TYPE_CHECKING:
    from indexer.fold.world import World

STARTER_PACK = Table("starter_pack", {**PROVENANCE, "name": TEXT, **DATES})


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    yield STARTER_PACK, (*provenance(version), version.value["name"], *dates(version))


RECORD = RecordType("app.bsky.graph.starterpack", (STARTER_PACK,), rows)
