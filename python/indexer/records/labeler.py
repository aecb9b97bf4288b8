"""app.bsky.labeler.service → labeler (records.md 5.7)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.fold.record_type import DATES, PROVENANCE, RecordType, Row, Table, Version, dates, provenance

if TYPE_CHECKING:
    from indexer.fold.world import World

LABELER = Table("labeler", {**PROVENANCE, **DATES})


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    if version.rkey == "self":
        yield LABELER, (*provenance(version), *dates(version))


RECORD = RecordType("app.bsky.labeler.service", (LABELER,), rows)
