"""Apply messages one after the other to a `World`, as the specification would to the database.

Everything here is computed in memory, so that a batch equals its messages one by one however they touch each other
(the same record, a reply and its parent, a gate and its post, two duplicates). Nothing here does I/O.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, cast

from indexer._native import Event
from indexer.fold import aturi
from indexer.fold.accounts import AccountRules, asks_for_handle, has_effect
from indexer.fold.notifications import Notifications, speaks
from indexer.fold.record_type import RecordType, StoredVersion, Version
from indexer.fold.world import Group, Stored, World
from indexer.records import RECORDS
from indexer.records.post.threads import parent_arrived, reply_of

Fate = Literal["indexed", "stale", "not_its_own", "account_status"]
"""What is stale counts as indexed: a newer version, or its deletion, is."""


@dataclass(slots=True)
class Folded:
    """What the messages of a batch did besides changing the world."""

    fates: list[Fate] = field(default_factory=list)
    """One per event, in order."""
    commits: dict[str, tuple[str, str]] = field(default_factory=dict)
    """By DID: the newest rev and the first commit that came with it (actors.md 1)."""
    accounts: list[Event] = field(default_factory=list)
    """Account events that have an effect."""
    look_ups: list[Event] = field(default_factory=list)
    """Events that ask for the handle of their DID, if it is not fresh (actors.md 2)."""


def fold(
    events: Sequence[Event],
    world: World,
    notifications: Notifications,
    rules: AccountRules = AccountRules(),  # noqa: B008 (frozen)
    *,
    backfill: bool,
    folded: Folded | None = None,
) -> Folded:
    """Apply `events` in order. `backfill` says what an event without `seq` is, which its stream decides.

    A batch may be folded in parts: `folded` is what those before did, and is added to.
    """
    folded = Folded() if folded is None else folded
    for position, event in enumerate(events, len(folded.fates)):
        is_backfill = backfill if event.backfill is None else event.backfill
        fate: Fate = "indexed"
        if event.uri is not None and (record_type := RECORDS.get(event.collection or "")) is not None:
            tells = speaks(notifications, event.kind, is_backfill=is_backfill)
            fate = _apply(event, record_type, position, world, tells=tells, is_backfill=is_backfill)
        elif event.kind == "account":
            if has_effect(event, rules):
                folded.accounts.append(event)
            else:
                fate = "account_status"
        is_indexed = fate in ("indexed", "stale")
        if rules.look_ups and is_indexed and asks_for_handle(event):
            folded.look_ups.append(event)
        folded.fates.append(fate)
        if event.commit is not None and is_indexed and (event.kind == "repo" or not is_backfill):
            rev = event.rev or ""
            known = folded.commits.get(event.did)
            if known is None or rev > known[0]:
                folded.commits[event.did] = rev, event.commit
    return folded


def _apply(
    event: Event, record_type: RecordType, position: int, world: World, *, tells: bool, is_backfill: bool
) -> Fate:
    """The rev rule (records.md 2.2, DIV-10, DIV-17), then rows."""
    uri, rev = cast(str, event.uri), cast(str, event.rev)
    stored = world.records.get(uri)
    if event.kind == "delete":
        if stored is None:
            old_cid = ""
            world.records[uri] = Stored(rev, "", event.time, stored=False, json="")
        elif stored.rev < rev or (stored.rev == rev and stored.cid != ""):
            old_cid = stored.cid
            stored.rev, stored.cid, stored.json, stored.changed = rev, "", "", True
        else:
            return "stale"
        if record_type.is_hung_on:
            world.lives.setdefault(uri, []).append((position, rev))
            world.drop_from(uri, rev)
        if old_cid != "":
            _remove(uri, old_cid, record_type, world, tells=tells)
        return "indexed"

    version = cast(Version, event)
    cid = version.cid
    if stored is None:
        if record_type.belongs is not None and not record_type.belongs(version):
            return "not_its_own"
        world.records[uri] = Stored(rev, cid, event.time, stored=False, json=event.json)
        _insert(version, record_type, position, world, tells=tells)
        return "indexed"

    if stored.rev > rev:
        return "stale"
    if stored.cid == cid and (stored.rev == rev or event.kind == "create"):
        _renew(version, rev, stored, record_type, world)
        return "indexed"
    if stored.rev == rev and (stored.cid == "" or stored.cid > cid):
        return "stale"
    if record_type.belongs is not None and not record_type.belongs(version):
        return "not_its_own"
    old_cid = stored.cid
    if record_type.is_hung_on and old_cid == "":
        world.lives.setdefault(uri, [(-1, stored.rev)]).append((position, ""))
    stored.rev, stored.cid, stored.indexed_at = rev, cid, event.time
    stored.json, stored.changed = event.json, True
    if old_cid == "":
        _insert(version, record_type, position, world, tells=tells)
    else:
        # of a create that acts as an update backfill tells nobody, in any mode (design.md)
        tells = tells and not (is_backfill and event.kind == "create")
        _replace(version, old_cid, record_type, position, world, tells=tells)
    return "indexed"


def _renew(version: Version, rev: str, stored: Stored, record_type: RecordType, world: World) -> None:
    """The version that is there came again: its `record` row moves, and past a deletion it hangs on its post again."""
    uri, time = version.uri, version.time
    if stored.rev == rev:
        if time > stored.indexed_at:
            stored.indexed_at, stored.changed = time, True
        return
    if record_type.hangs_on is not None and (post := record_type.hangs_on(version)) is not None:
        tombstone = world.records.get(post)
        if tombstone is None or tombstone.cid != "" or tombstone.rev <= rev:
            world.renewed.setdefault(uri, (version, post, stored.indexed_at))
    stored.rev, stored.indexed_at, stored.changed = rev, time, True
    if uri in world.group_of:
        group = world.group_of[uri]
        group.put(uri, rev)
        _settle(group, record_type, world)


def _insert(version: Version, record_type: RecordType, position: int, world: World, *, tells: bool) -> None:
    group = _join(version, record_type, world)
    was_vacant = group is None or group.indexed is None
    _arrive(version, record_type, position, world)
    if group is not None:
        _settle(group, record_type, world)
    if tells and was_vacant:
        world.tell(record_type.notices(version, world))


def _replace(
    version: Version, old_cid: str, record_type: RecordType, position: int, world: World, *, tells: bool
) -> None:
    """A removal and an insertion, but what others attached to the record stays (DIV-14)."""
    uri = version.uri
    left = world.group_of.pop(uri, None)
    was_indexed = record_type.duplicate_key is None or (left is not None and left.indexed == uri)
    if left is not None:
        del left.revs[uri]
    if record_type.depart is not None:
        record_type.depart(uri, world)
    joined = _join(version, record_type, world)
    was_vacant = joined is None or joined.indexed is None
    _arrive(version, record_type, position, world)
    for group in (left, joined):
        if group is not None:
            _settle(group, record_type, world)
    if not tells:
        return
    if not was_indexed:
        if was_vacant:
            world.tell(record_type.notices(version, world))
        return
    if record_type.retract == "always":
        _retract(uri, world)
        world.tell(record_type.notices(version, world))
    elif record_type.retract == "unless_replaced":
        replaced = any(group is not None and group.indexed is not None for group in (left, joined))
        if not replaced:
            _retract(uri, world)
    if record_type.farewell is not None and left is not None:
        world.tell(record_type.farewell(uri, version.creator, old_cid, left.key, world.now))


def _remove(uri: str, old_cid: str, record_type: RecordType, world: World, *, tells: bool) -> None:
    left = world.group_of.pop(uri, None)
    was_indexed = record_type.duplicate_key is None or (left is not None and left.indexed == uri)
    if left is not None:
        del left.revs[uri]
        _settle(left, record_type, world)
    world.versions.pop(uri, None)
    world.indexed[uri] = record_type
    if record_type.attached_tables:
        world.attached[uri] = record_type
    if record_type.depart is not None:
        record_type.depart(uri, world)
    world.other_parents.pop(uri, None)
    if not was_indexed:
        return
    if record_type.retract == "always" or (
        record_type.retract == "unless_replaced" and (left is None or left.indexed is None)
    ):
        _retract(uri, world)
    if tells and record_type.farewell is not None and left is not None:
        creator = aturi.authority(uri)
        world.tell(record_type.farewell(uri, creator, old_cid, left.key, world.now))


def _join(version: Version, record_type: RecordType, world: World) -> Group | None:
    """Make a version one of the records with its duplicate key; None for types that know no duplicates."""
    if record_type.duplicate_key is None:
        return None
    uri = version.uri
    group = world.group(record_type.collection, record_type.duplicate_key(version))
    group.put(uri, world.records[uri].rev)
    world.group_of[uri] = group
    return group


def _arrive(version: Version, record_type: RecordType, position: int, world: World) -> None:
    uri = version.uri
    world.versions[uri] = version
    world.arrivals[uri] = position
    world.indexed[uri] = record_type
    if record_type.attached_tables:
        world.attached[uri] = record_type
    if record_type.arrive is not None:
        record_type.arrive(version, world)
    if uri in world.questions.parents and not record_type.is_hung_on:
        world.other_parents[uri] = reply_of(cast(Event, version).json or "")
        parent_arrived(uri, world)


def _settle(group: Group, record_type: RecordType, world: World) -> None:
    """Index the first of a group. What becomes indexed later than it came takes its dates from its record (DIV-13)."""
    first = group.first()
    while first is not None and first != group.indexed and first not in world.versions:
        del group.revs[first]  # stored, but no valid record any more: treated as none (records.md 2.4)
        first = group.first()
    if first == group.indexed:
        return
    if group.indexed is not None:
        world.indexed[group.indexed] = record_type
    group.indexed = first
    if first is not None:
        world.indexed[first] = record_type
        version, stored = world.versions[first], world.records[first]
        if version.time != stored.indexed_at:
            world.versions[first] = StoredVersion.of(version, stored.indexed_at)


def settle_groups(world: World) -> None:
    """Index the first of every group that was read, where another one went without a message (removal of accounts)."""
    for (collection, _), group in world.groups.items():
        _settle(group, RECORDS[collection], world)


def _retract(uri: str, world: World) -> None:
    world.retracted.add(uri)
    world.notices.pop(uri, None)
