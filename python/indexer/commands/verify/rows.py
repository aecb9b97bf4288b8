"""The rows of records as they are, and as their records say that they ought to be (records.md 5, DIV-14 to DIV-18)."""

import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from indexer._native import decode_records
from indexer.commands.verify.finding import Look
from indexer.fold import aturi
from indexer.fold.record_type import RecordType, Row, StoredVersion, Table
from indexer.fold.world import Post, Stored, World
from indexer.records import RECORDS
from indexer.records._feed_item import FEED_ITEM
from indexer.records.post import POST
from indexer.records.post.embeds import QUOTE

_JUDGED = ("invalidReplyRoot", "violatesThreadGate", "violatesEmbeddingRules")
"""Columns of `post` that depend on a moment, or on other rows: a row keeps its own."""


@dataclass(slots=True)
class RecordRow:
    """A row of `record`, without its text."""

    did: str
    cid: str
    rev: str
    indexed_at: str
    is_live: bool


@dataclass(slots=True)
class Standing:
    """The post that something hangs on."""

    rev: str
    is_live: bool
    indexed_at: str | None
    """When the row of the post came; None: there is none."""


@dataclass(slots=True)
class Rows:
    """What there is of some records."""

    look: Look
    records: dict[str, RecordRow] = field(default_factory=dict)
    versions: dict[str, StoredVersion] = field(default_factory=dict)
    """Of live records that are valid; under the dates that their rows have, or else their record."""
    actual: dict[Table, dict[str, list[Row]]] = field(default_factory=dict)
    """By table and owner."""
    pointing: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    """Rows of `duplicate_record`: cid, duplicateOf, indexedAt."""
    standing: dict[str, Standing] = field(default_factory=dict)
    """Posts that something hangs on, by URI."""
    removed: set[str] = field(default_factory=set)
    """Accounts that were removed, of posts that something hangs on."""
    world: World = field(default_factory=lambda: World(""))

    def kind(self, uri: str) -> RecordType | None:
        return RECORDS.get(aturi.parse(uri).collection)

    def of(self, table: Table, uri: str) -> list[Row]:
        """The rows of a record in a table."""
        return self.actual.get(table, {}).get(uri, [])

    def main_row(self, uri: str) -> Row | None:
        """Its row in the table that is its type's own."""
        kind = self.kind(uri)
        rows = self.of(kind.tables[0], uri) if kind is not None and kind.tables else []
        return rows[0] if rows else None

    def expected(self, uri: str, *, indexed: bool) -> dict[Table, list[Row]]:
        """The rows that a record ought to have, by table; `indexed` says whether it is no duplicate."""
        kind = self.kind(uri)
        found: dict[Table, list[Row]] = {table: [] for table in tables_of(kind)}
        version = self.versions.get(uri)
        if kind is None or version is None:
            return found
        if indexed:
            for table, row in kind.rows(version, self.world):
                found[table].append(self._adapted(table, row, uri))
        for table, row in kind.attached(version, self.world):
            found[table].append(self._adapted(table, row, uri))
        hanging = self.hangs(uri)
        if hanging is not None and not self.of(hanging[0], uri) and self.is_undecided(uri):
            found[hanging[0]] = []
        return found

    def _adapted(self, table: Table, row: Row, uri: str) -> Row:
        """Without what the database has no column for, with what nothing says any more: createdAt of some profiles."""
        written = self.look.statements.written(table)
        if len(written) < len(table.columns):
            row = tuple(value if name in written else None for name, value in zip(table.columns, row, strict=True))
        if table.name == "profile" and "createdAt" not in self.versions[uri].value:
            at, actual = table.index("createdAt"), self.of(table, uri)
            return (*row[:at], actual[0][at] if actual else self.versions[uri].time, *row[at + 1 :])
        return row

    def hangs(self, uri: str) -> tuple[Table, str] | None:
        """The table with what a record hangs on a post, and the post."""
        kind, version = self.kind(uri), self.versions.get(uri)
        if kind is None or version is None or kind.hangs_on is None or (post := kind.hangs_on(version)) is None:
            return None
        return (QUOTE if kind.is_hung_on else FEED_ITEM), post

    def is_undecided(self, uri: str) -> str | None:
        """Why it may be right that what a record hangs on a post is missing; None where it is not."""
        if (hanging := self.hangs(uri)) is None:
            return None
        record, post = self.records[uri], hanging[1]
        stands = self.standing.get(post)
        if stands is None:
            return "the post's account was removed" if aturi.authority(post) in self.removed else None
        own = self.main_row(uri)
        came = record.indexed_at if own is None else str(own[_place(tables_of(self.kind(uri))[0], "indexedAt")])
        later = stands.indexed_at is not None and stands.indexed_at > came
        moved = stands.rev > record.rev or record.indexed_at != came
        if stands.is_live and later and moved:
            return "its post was renewed later (DIV-14), or deleted and made again"
        return None


def tables_of(kind: RecordType | None) -> tuple[Table, ...]:
    """All tables with rows of a type."""
    return () if kind is None else tuple(dict.fromkeys((*kind.tables, *kind.attached_tables)))


async def read(look: Look, uris: Sequence[str]) -> Rows:
    """What there is of these records."""
    rows = Rows(look)
    texts: list[tuple[str, str]] = []
    for uri, did, cid, rev, indexed_at, text in await look.fetch("records_looked_at", uris):
        is_live = text != "" and cid != ""
        rows.records[uri] = RecordRow(did, cid, rev, indexed_at, is_live)
        rows.world.records[uri] = Stored(rev, cid if is_live else "", indexed_at, stored=True)
        if is_live and rows.kind(uri) is not None:
            texts.append((uri, text))
    await _tables(look, rows, uris)
    decoded = decode_records([(aturi.parse(uri).collection, text) for uri, text in texts])
    for (uri, _), record in zip(texts, decoded, strict=True):
        if record is None:
            continue
        parts, stored = aturi.parse(uri), rows.records[uri]
        version = StoredVersion(
            uri, parts.authority, parts.rkey, stored.cid, stored.indexed_at,
            record.value, record.created_at, record.description_facets,
        )  # fmt: skip
        kind = rows.kind(uri)
        if kind is not None and kind.belongs is not None and not kind.belongs(version):
            continue
        rows.versions[uri] = StoredVersion.of(version, _time(rows, uri))
    _posts(rows)
    await _posts_hung_on(look, rows)
    return rows


async def _tables(look: Look, rows: Rows, uris: Sequence[str]) -> None:
    by_table: defaultdict[Table, list[str]] = defaultdict(list)
    for uri in uris:
        for table in tables_of(rows.kind(uri)):
            by_table[table].append(uri)
    for table, some in by_table.items():
        written = look.statements.written(table)
        found: defaultdict[str, list[Row]] = defaultdict(list)
        for row in await look.connection.fetch(look.statements.rows(table), some):
            given = dict(zip(written, row, strict=True))
            found[given[table.owner]].append(tuple(given.get(name) for name in table.columns))
        rows.actual[table] = found
    for uri, cid, of, indexed_at in await look.fetch("duplicates_looked_at", uris):
        rows.pointing[uri] = cid, of, indexed_at


def _time(rows: Rows, uri: str) -> str:
    """The time under which the version of a record was indexed: later ones moved its record only (DIV-17)."""
    row, record, kind = rows.main_row(uri), rows.records[uri], rows.kind(uri)
    if row is None or kind is None:
        return record.indexed_at
    table = kind.tables[0]
    is_same = row[table.index("cid")] == record.cid
    return str(row[_place(table, "indexedAt")]) if is_same else record.indexed_at


def _place(table: Table, column: str) -> int:
    return table.index(column)


def _posts(rows: Rows) -> None:
    """What posts were judged to be stays."""
    for uri, version in rows.versions.items():
        kind = rows.kind(uri)
        row = rows.main_row(uri)
        if kind is None or kind.tables[:1] != (POST,):
            continue
        reply = version.value.get("reply")
        parent, root = (reply["parent"]["uri"], reply["root"]["uri"]) if reply else (None, None)
        flags: list[Any] = [None if row is None else row[POST.index(name)] for name in _JUDGED]
        rows.world.posts[uri] = post = Post(uri, parent, root, None, value=version.value)
        post.invalid, post.violates, post.embed_violates = flags


async def _posts_hung_on(look: Look, rows: Rows) -> None:
    hanging = {uri: found[1] for uri in rows.versions if (found := rows.hangs(uri)) is not None}
    if not hanging:
        return
    posts = sorted(set(hanging.values()))
    for uri, rev, is_live, indexed_at in await look.fetch("posts_hung_on", posts):
        rows.standing[uri] = Standing(rev, is_live, indexed_at)
    gone = sorted({aturi.authority(post) for post in posts if post not in rows.standing})
    if gone and look.has_own:
        rows.removed = {did for did, _ in await look.fetch("removals", gone)}
    for post, stands in rows.standing.items():
        if not stands.is_live:
            rows.world.lives[post] = [(-1, stands.rev)]  # who is older has nothing on it (DIV-18)


def difference(table: Table, expected: Sequence[Row], actual: Sequence[Row]) -> tuple[str, str] | None:
    """What is wrong with the rows of a record in a table, in a word and in a sentence."""
    if not expected or not actual:
        if expected:
            return "missing", "its record says that it is there"
        return ("orphan", "its record says that there is none") if actual else None
    if len(expected) != len(actual):
        return "differs", f"{len(actual)} rows instead of {len(expected)}"
    order = [table.index(column) for column in table.order]

    def place(row: Row) -> list[str]:
        return [str(row[at]) for at in order]

    pairs = zip(sorted(expected, key=place), sorted(actual, key=place), strict=True)
    columns = list(dict.fromkeys(name for ours, theirs in pairs for name in _unequal(table, ours, theirs)))
    return ("differs", f"not as its record says: {', '.join(columns)}") if columns else None


def _unequal(table: Table, expected: Row, actual: Row) -> list[str]:
    different = []
    for name, ours, theirs in zip(table.columns, expected, actual, strict=True):
        if table is POST and name in _JUDGED:
            continue
        if table.columns[name] == "jsonb":
            ours, theirs = (None if text is None else json.loads(str(text)) for text in (ours, theirs))
        if ours != theirs:
            different.append(name)
    return different
