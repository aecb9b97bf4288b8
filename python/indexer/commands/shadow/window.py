"""The messages that are compared at a time, and what they say of each record."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple, cast

from indexer._native import Event
from indexer.fold.accounts import DELETED, asks_for_handle, status_of
from indexer.fold.record_type import Version
from indexer.fold.world import World
from indexer.records import RECORDS
from indexer.records.post.embeds import VIDEO, embed_rows
from indexer.sink.halving import Entry


class Told(NamedTuple):
    """An event at its place in the stream."""

    place: int
    event: Event
    is_backfill: bool


@dataclass(slots=True)
class History:
    """What was read of one stream so far, by record and by account: later windows begin with what they touch again."""

    of: defaultdict[str, list[tuple[int, Entry[Event]]]] = field(default_factory=lambda: defaultdict(list))
    accounts: defaultdict[str, list[tuple[int, Entry[Event]]]] = field(default_factory=lambda: defaultdict(list))
    read: int = 0

    def add(self, entries: Iterable[Entry[Event]]) -> None:
        for entry in entries:
            event = entry.event
            if event.uri is not None and event.collection in RECORDS:
                self.of[event.uri].append((self.read, entry))
            elif event.kind == "account":
                self.accounts[event.did].append((self.read, entry))
            self.read += 1

    def window(self, entries: Iterable[Entry[Event]]) -> list[tuple[int, Entry[Event]]]:
        """The entries, just added, with all earlier ones of the same records, in order of the stream."""
        chosen: dict[int, Entry[Event]] = {}
        others: list[Entry[Event]] = []
        for entry in entries:
            event = entry.event
            if event.uri is not None and event.collection in RECORDS:
                chosen.update(self.of[event.uri])
            elif event.kind == "account":
                chosen.update(self.accounts[event.did])
            else:
                others.append(entry)
        return [*sorted(chosen.items()), *((self.read, entry) for entry in others)]


class Window:
    """Events in order, and what they tell of each URI."""

    def __init__(self, placed: list[tuple[int, Entry[Event]]], *, backfill: bool) -> None:
        self.entries = [entry for _, entry in placed]
        self.backfill = backfill
        self.told: dict[str, list[Told]] = {}
        self.statuses: dict[str, list[Told]] = {}
        self.dids: set[str] = set()
        self.looked_up: dict[str, int] = {}
        """Where an account's handle was asked for first: from then on it has a row."""
        for place, entry in placed:
            event = entry.event
            told = Told(place, event, backfill if event.backfill is None else event.backfill)
            self.dids.add(event.did)
            if asks_for_handle(event):
                self.looked_up.setdefault(event.did, place)
            if event.uri is not None and event.collection in RECORDS:
                self.told.setdefault(event.uri, []).append(told)
            elif event.kind == "account":
                self.statuses.setdefault(event.did, []).append(told)

    def is_new(self, uri: str) -> bool:
        """Whether the record cannot have existed before: it begins with a create that was live."""
        first = self.told[uri][0]
        return first.event.kind == "create" and not first.is_backfill

    def last(self, uri: str) -> Told | None:
        told = self.told.get(uri)
        return told[-1] if told else None

    def place(self, uri: str) -> int | None:
        """Where the version that stands came: the last message that carried or removed one."""
        last = self.last(uri)
        return last.place if last else None

    def was(self, uri: str, *kinds: str) -> bool:
        return any(told.event.kind in kinds for told in self.told.get(uri, ()))

    def replaced(self, uri: str) -> bool:
        """Whether a create with another CID came over a live record (DIV-17)."""
        live: str | None = None
        for told in self.told.get(uri, ()):
            event = told.event
            if event.kind == "create" and live is not None and live != event.cid:
                return True
            live = None if event.kind == "delete" else event.cid
        return False

    def rivals(self, uri: str) -> bool:
        """Whether different writes came under one rev (DIV-17)."""
        by_rev: dict[str | None, set[str | None]] = {}
        for told in self.told.get(uri, ()):
            by_rev.setdefault(told.event.rev, set()).add(told.event.cid)
        return any(len(cids) > 1 for cids in by_rev.values())

    def came_again(self, uri: str) -> bool:
        """Whether one version came under several times."""
        times: dict[str | None, set[str]] = {}
        for told in self.told.get(uri, ()):
            times.setdefault(told.event.cid, set()).add(told.event.time)
        return any(len(some) > 1 for some in times.values())

    def cleaned(self, uri: str) -> bool:
        """Whether a version had characters in it that PostgreSQL refuses: the reference cannot write it."""
        return any(told.event.cleaned or _has_refused(told.event.json) for told in self.told.get(uri, ()))

    def had_video(self, uri: str) -> bool:
        for told in self.told.get(uri, ()):
            event = told.event
            if event.value is not None and event.collection == "app.bsky.feed.post":
                rows: Any = embed_rows(cast(Version, event), _NOBODY) if "embed" in event.value else ()
                if any(table is VIDEO for table, _ in rows):
                    return True
        return False

    @cached_property
    def versions(self) -> dict[str, set[str | None]]:
        """The versions of records that others name."""
        found: dict[str, set[str | None]] = {}
        for told in self.told.values():
            for _, event, _ in told:
                for uri, cid in _references(event.value):
                    found.setdefault(uri, set()).add(cid)
        return found

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """Every AT-URI that a record names."""
        return frozenset(
            uri for told in self.told.values() for one in told if one.event.value for uri in at_uris(one.event.value)
        )

    def had_actor(self, did: str, told: list[Told]) -> bool:
        """Whether an earlier message made a row of `actor`."""
        return self.looked_up.get(did, told[-1].place) < told[-1].place

    def deleted_accounts(self) -> set[str]:
        return {did for did, told in self.statuses.items() if any(status_of(one.event) == DELETED for one in told)}


_NOBODY = World("")


def at_uris(value: object) -> Iterator[str]:
    """The AT-URIs among the texts of a record."""
    if isinstance(value, str):
        if value.startswith("at://"):
            yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from at_uris(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from at_uris(part)


def _references(value: object) -> Iterator[tuple[str, str]]:
    """What a record names by URI and CID."""
    if isinstance(value, dict):
        uri, cid = value.get("uri"), value.get("cid")
        if isinstance(uri, str) and isinstance(cid, str):
            yield uri, cid
        for part in value.values():
            yield from _references(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _references(part)


_REFUSED = re.compile(r"(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])")


def _has_refused(json: str | None) -> bool:
    return json is not None and "\\u" in json and _REFUSED.search(json) is not None
