"""Rows of `duplicate_record`: who is indexed, and who points at it (DIV-13)."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from indexer.commands.verify import records
from indexer.commands.verify.finding import Check, Finding, Look
from indexer.commands.verify.rows import Rows, read
from indexer.fold import aturi
from indexer.fold.record_type import Key
from indexer.records import RECORDS

DIV_13 = "DIV-13: the reference indexes what came first, promotes once, and leaves the rows of what it promoted"


def checks() -> Iterator[Check]:
    """One."""
    kinds = tuple(f"duplicate_record.{what}" for what in ("orphan", "differs", "order"))
    yield Check("duplicate_record", "uri", kinds, _find, records.mend, "duplicate_record")


async def _find(look: Look, uris: Sequence[str]) -> list[Finding]:
    pointing = {row["uri"]: row for row in await look.fetch("pointing_duplicates", uris)}
    rows = await read(look, [uri for uri, row in pointing.items() if row["is_live"]])
    owners = await _owners(look, rows)
    revs = dict(await look.fetch("revs_looked_at", sorted(set(owners.values()))))
    found = []
    for uri, row in pointing.items():
        by_kind: defaultdict[str, list[tuple[str, bool]]] = defaultdict(list)
        for what, detail, is_reference in _faults(row, rows, owners.get(uri), revs):
            by_kind[f"duplicate_record.{what}"].append((detail, is_reference))
        for kind, several in by_kind.items():
            known = DIV_13 if all(is_reference for _, is_reference in several) else None
            found.append(Finding(kind, uri, uri, "; ".join(detail for detail, _ in several), known))
    return found


async def _owners(look: Look, rows: Rows) -> dict[str, str]:
    """By URI of a duplicate: who is indexed under its key."""
    keys: defaultdict[str, dict[str, Key]] = defaultdict(dict)
    for uri, version in rows.versions.items():
        kind = rows.kind(uri)
        if kind is not None and kind.duplicate_key is not None:
            keys[kind.collection][uri] = kind.duplicate_key(version)
    found = {}
    for collection, by_uri in keys.items():
        kind = RECORDS[collection]
        sql = look.statements.rows_of_keys(kind.tables[0], kind.key_columns)
        wanted = sorted(set(by_uri.values()))
        owner = {
            tuple(key): uri
            for uri, *key in await look.connection.fetch(sql, *(list(c) for c in zip(*wanted, strict=True)))
        }
        found.update({uri: owner[key] for uri, key in by_uri.items() if key in owner})
    return found


def _faults(row: Any, rows: Rows, owner: str | None, revs: dict[str, str]) -> Iterator[tuple[str, str, bool]]:
    """What is wrong, in a word and in a sentence, and whether the reference leaves that."""
    uri, kind = row["uri"], RECORDS.get(aturi.parse(row["uri"]).collection)
    if not row["is_live"]:
        yield "orphan", "its record is not there", False
        return
    if kind is None or kind.duplicate_key is None:
        yield "orphan", "its type knows no duplicates", False
        return
    if uri not in rows.versions:
        return
    record, old = rows.records[uri], aturi.parse(row["of"])
    is_of_dead = row["was_deleted"] and (old.authority, old.collection) == aturi.parse(uri)[:2]
    if owner == uri:
        yield "orphan", "it is indexed itself", is_of_dead
        return
    if owner is None:
        yield "order", "nobody is indexed under its key", is_of_dead
        return
    if owner != row["of"]:
        yield "differs", f"points at {row['of']}, indexed is {owner}", is_of_dead
    if (record.rev, uri) < (revs.get(owner, ""), owner):
        yield "order", f"its rev is lower than that of {owner}, which is indexed", True
    if (row["cid"], row["at"]) != (record.cid, record.indexed_at):
        yield "differs", "cid or indexedAt is not that of its record", record.indexed_at > row["at"]
