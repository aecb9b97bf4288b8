"""app.bsky.labeler.service → labeler (records.md 5.7)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.fold.record_type import COMMON, DATES, RecordType, Row, Table, Version, common, dates

if TYPE_CHECKING:
    from indexer.fold.world import World

LABELER = Table("labeler", {**COMMON, **DATES})


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    if version.rkey == "self":
        yield LABELER, (*common(version), *dates(version))


RECORD = RecordType("app.bsky.labeler.service", (LABELER,), rows)
