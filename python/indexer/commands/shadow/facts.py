"""What is needed to judge a difference: how records stand on either side, who shares a key, whose neighbours moved."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from indexer.commands.shadow.staging import Layout
from indexer.commands.shadow.surroundings import Surroundings
from indexer.commands.shadow.window import Told, Window, at_uris
from indexer.connections.database import Connection
from indexer.fold import aturi
from indexer.fold.record_type import Version
from indexer.records import RECORDS
from indexer.records.post.gates import POST, POST_GATE, THREAD_GATE
from indexer.sink.dead_letter import DeadLetter

THREAD_HEIGHT = 8
"""Ancestors that a reply's columns and notifications can depend on, and some more."""


class Standing(NamedTuple):
    """A row of `record`."""

    rev: str
    indexed_at: str
    is_live: bool


@dataclass(slots=True)
class Facts:
    """Of one window, in one snapshot."""

    window: Window
    around: Surroundings
    ours: dict[str, Standing] = field(default_factory=dict)
    theirs: dict[str, Standing] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)
    """Replies to the posts above them."""
    keys: dict[str, set[tuple[object, ...]]] = field(default_factory=dict)
    """Duplicate keys that a record has or had."""
    members: dict[tuple[object, ...], set[str]] = field(default_factory=dict)
    """The same the other way round."""
    rows: dict[str, set[str]] = field(default_factory=dict)
    """By duplicate table and `duplicate_record`: which of the records the incumbent has there."""
    moved: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By DID: the newest rev and the last time of follows and list items outside the window."""
    gone: dict[tuple[str, str], str] = field(default_factory=dict)
    """By account and collection: the newest rev of a deletion outside the window."""
    refused: set[str] = field(default_factory=set)
    """Records and accounts of messages that are dead letters here."""
    unprocessed: set[str] = field(default_factory=set)

    @classmethod
    async def read(
        cls,
        connection: Connection,
        layout: Layout,
        window: Window,
        around: Surroundings,
        letters: Sequence[DeadLetter],
        unprocessed: set[str],
    ) -> "Facts":
        self = cls(window, around, refused=set(_named_by(letters)), unprocessed=unprocessed)
        uris = sorted(window.told.keys() | around.near)
        for table, into in ((layout.copy("record"), self.ours), (layout.name("record"), self.theirs)):
            sql = f"""SELECT uri, rev, "indexedAt", json <> '' FROM {table} WHERE uri = ANY($1::text[])"""
            into.update({uri: Standing(*rest) for uri, *rest in await connection.fetch(sql, uris)})
        for table in (layout.name("post"), layout.copy("post")):
            sql = f'SELECT uri, "replyParent" FROM {table} WHERE uri = ANY($1::text[]) AND "replyParent" IS NOT NULL'
            self.parents.update({row[0]: row[1] for row in await connection.fetch(sql, uris)})
        await self._read_duplicates(connection, layout, uris)
        return self

    async def _read_duplicates(self, connection: Connection, layout: Layout, uris: list[str]) -> None:
        for uri, told in self.window.told.items():
            kind = RECORDS[aturi.parse(uri).collection]
            for one in told:
                if kind.duplicate_key is not None and one.event.kind != "delete":
                    self._join(uri, (kind.collection, *kind.duplicate_key(cast(Version, one.event))))
        for kind in RECORDS.values():
            if kind.duplicate_key is not None:
                sql = layout.real.keys_of_rows(kind.tables[0], kind.key_columns)
                rows = await connection.fetch(sql, uris)
                self.rows[kind.tables[0].name] = {row[0] for row in rows}
                for uri, *key in rows:
                    if uri in self.around.duplicates:
                        self._join(uri, (kind.collection, *key))
        rows = await connection.fetch(layout.real["duplicates_of_records"], uris)
        self.rows["duplicate_record"] = {row[0] for row in rows}
        for uri, of in rows:
            there = self.theirs.get(of)
            stale = there is not None and not there.is_live  # the reference leaves notes of what is gone
            if aturi.parse(uri)[:2] == aturi.parse(of)[:2]:
                for shared in self.keys.get(of, set()) | (self.keys.get(uri, set()) if stale else set()):
                    self._join(uri, shared)
                    self._join(of, shared)

    def _join(self, uri: str, key: tuple[object, ...]) -> None:
        self.keys.setdefault(uri, set()).add(key)
        self.members.setdefault(key, set()).add(uri)

    async def read_pairs(self, connection: Connection, layout: Layout, dids: Iterable[str]) -> None:
        """When the follows and list items of accounts last moved, outside the window."""
        rows = await connection.fetch(
            f"""SELECT did, max(rev COLLATE "C"), max("indexedAt" COLLATE "C") FROM {layout.name("record")}
            WHERE did = ANY($1::text[]) AND uri <> ALL($2::text[])
                AND split_part(uri, '/', 4) IN ('app.bsky.graph.follow', 'app.bsky.graph.listitem') GROUP BY 1""",
            sorted(set(dids)),
            sorted(uri for uri in self.window.told if "/app.bsky.graph." in uri),
        )
        self.moved.update({did: (rev, at) for did, rev, at in rows})

    async def read_gone(self, connection: Connection, layout: Layout, uris: Iterable[str]) -> None:
        """When the accounts of records with a duplicate key last deleted any of the kind, outside the window."""
        places = {(parts.authority, parts.collection) for parts in map(aturi.parse, uris)}
        dids = {did for did, collection in places if RECORDS[collection].duplicate_key is not None}
        rows = await connection.fetch(
            f"""SELECT did, split_part(uri, '/', 4), max(rev COLLATE "C") FROM {layout.name("record")}
            WHERE did = ANY($1::text[]) AND json = '' AND uri <> ALL($2::text[]) GROUP BY 1, 2""",
            sorted(dids),
            sorted(uri for uri in self.window.told if aturi.authority(uri) in dids),
        )
        self.gone.update({(did, collection): rev for did, collection, rev in rows})

    def had_rival(self, uri: str) -> bool:
        """Whether a duplicate that was there when the record came may have been deleted since: its key went with it."""
        parts, told = aturi.parse(uri), self.window.last(uri)
        kind = RECORDS.get(parts.collection)
        if kind is None or kind.duplicate_key is None or told is None:
            return False
        return self.gone.get((parts.authority, parts.collection), "") > (told.event.rev or "") or any(
            other.startswith(f"at://{parts.authority}/{parts.collection}/") and some[0].event.kind == "delete"
            for other, some in self.window.told.items()
        )

    def rivals_of(self, uri: str) -> set[str]:
        """Other records that have, or had, a duplicate key of this one."""
        found: set[str] = set()
        for key in self.keys.get(uri, ()):
            found |= self.members[key]
        return found - {uri}

    def went_on(self, uri: str) -> bool:
        """Whether the incumbent has a newer version of one of the window's records."""
        ours, theirs = self.ours.get(uri), self.theirs.get(uri)
        return uri in self.window.told and ours is not None and theirs is not None and theirs.rev > ours.rev

    def spoiled(self, uri: str) -> bool:
        """Whether the reference could not process a message of this record."""
        return uri in self.window.told and self.window.cleaned(uri)

    def neighbours(self, uri: str) -> Iterator[str]:
        """Records by which this one was judged when it came."""
        seen: set[str] = {uri}
        for told in self.window.told.get(uri, ()):
            for named in at_uris(told.event.value):
                yield from _new(seen, named, *_gates(named))
        yield from _new(seen, *_gates(uri))
        at: str | None = self.parents.get(uri)
        for _ in range(THREAD_HEIGHT):
            if at is None:
                break
            yield from _new(seen, at, *_gates(at))
            at = self.parents.get(at)

    def ancestors(self, uri: str) -> Iterator[str]:
        """The posts above, nearest first."""
        at, seen = self.parents.get(uri), {uri}
        while at is not None and at not in seen:
            yield at
            seen.add(at)
            at = self.parents.get(at)

    def moved_since(self, neighbour: str, told: Told | None, uri: str) -> bool:
        """Whether a neighbour may have been another when the record came than our pipeline found it."""
        if neighbour in self.unprocessed:
            return True
        if neighbour in self.window.told:
            first = self.window.told[neighbour][0]
            return told is None or (not self.window.is_new(neighbour) and first.place > told.place)
        there = self.theirs.get(neighbour)
        if there is None:
            return False
        if told is None:
            own = self.theirs.get(uri)
            return own is None or there.rev > own.rev or there.indexed_at > own.indexed_at
        return there.rev > (told.event.rev or "") or there.indexed_at > told.event.time

    def unsure(self, uri: str) -> bool:
        told = self.window.last(uri)
        if any(self.moved_since(neighbour, told, uri) for neighbour in self.neighbours(uri)):
            return True
        if told is None:
            return False
        moved = (self.moved.get(aturi.authority(named), ("", "")) for named in (uri, *self.neighbours(uri)))
        # all that is backfilled of an account has one rev: what has the same may have come before or after
        return any((rev and rev >= (told.event.rev or "")) or at > told.event.time for rev, at in moved)


def _new(seen: set[str], *uris: str) -> Iterator[str]:
    for uri in uris:
        if uri not in seen:
            seen.add(uri)
            yield uri


def _gates(uri: str) -> tuple[str, ...]:
    parts = aturi.parse(uri)
    return (parts.sibling(THREAD_GATE), parts.sibling(POST_GATE)) if parts.collection == POST else ()


def _named_by(letters: Sequence[DeadLetter]) -> Iterator[str]:
    """The records and accounts that dead letters are about, as far as they can be read."""
    for letter in letters:
        try:
            body = json.loads(letter.payload)
        except (ValueError, RecursionError):
            continue
        if isinstance(body, dict):
            did, collection, rkey = (body.get(name) for name in ("did", "collection", "rkey"))
            if isinstance(did, str):
                yield did
                yield f"at://{did}/{collection}/{rkey}"
