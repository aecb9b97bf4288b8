"""app.bsky.feed.postgate → post_gate (records.md 5.10)."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from indexer.fold.record_type import DATES, PROVENANCE, TEXT, RecordType, Row, Table, Version, dates, provenance
from indexer.records._gate import is_gate_of

if TYPE_CHECKING:
    from indexer.fold.world import World

POST_GATE = Table("post_gate", {**PROVENANCE, "postUri": TEXT, **DATES})


def belongs(version: Version) -> bool:
    return is_gate_of(version, version.value["post"])


def rows(version: Version, _world: "World") -> Iterable[tuple[Table, Row]]:
    yield POST_GATE, (*provenance(version), version.value["post"], *dates(version))


def arrive(version: Version, world: "World") -> None:
    world.post_gates[version.uri] = version.value


def depart(uri: str, world: "World") -> None:
    world.post_gates.pop(uri, None)


RECORD = RecordType("app.bsky.feed.postgate", (POST_GATE,), rows, belongs=belongs, arrive=arrive, depart=depart)
