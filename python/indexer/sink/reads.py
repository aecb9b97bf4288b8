"""What a batch has to know before it can be folded, read in a fixed number of statements."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, cast

from indexer._native import Event, decode_records
from indexer.connections.database import Connection
from indexer.fold import aturi
from indexer.fold.notifications import Notifications, speaks
from indexer.fold.record_type import Key, RecordType, StoredVersion, Version
from indexer.fold.world import Post, Reply, Stored, World
from indexer.records import RECORDS
from indexer.records.post.gates import THREAD_GATE, Rule, ask_for_rules, mentioned, rules_of, thread_gate_of
from indexer.records.post.notices import REPLY_DEPTH
from indexer.records.post.threads import reply_of
from indexer.sink.faults import MovedError
from indexer.sink.statements import Statements

POST = "app.bsky.feed.post"


class WidenError(Exception):
    """The batch touches records beside its own (duplicates of them): they have to be locked with the others."""

    def __init__(self, uris: set[str]) -> None:
        super().__init__(f"{len(uris)} more records")
        self.uris = uris


class Reads:
    """One batch's reading, in the transaction that will write it."""

    def __init__(
        self, connection: Connection, statements: Statements, world: World, events: Sequence[Event], *, careful: bool
    ) -> None:
        self.connection = connection
        self.statements = statements
        self.world = world
        self.careful = careful
        """Expect rows without a `record` row, which other writers may have left."""
        self._claimed: set[str] = set()
        """Records that this transaction has inserted, before they are folded."""
        self.events = [(event, kind) for event in events if (kind := RECORDS.get(event.collection or "")) is not None]

    async def all(
        self,
        also: set[str],
        notifications: Notifications,
        *,
        backfill: bool,
        batch_before: Callable[[], Awaitable[None]] | None = None,
        claim: Callable[[], Awaitable[set[str]]] | None = None,
    ) -> World:
        """Fill the world. Raises `WidenError` when records beside `also` and the batch's own must be locked, too.

        Threads are read when `batch_before` has returned. `claim` inserts the records that are not there, and returns
        those that a neighbour has inserted in the meantime.
        """
        world = self.world
        own = {cast(str, event.uri) for event, _ in self.events}
        locked = own | also
        for uri, rev, cid, indexed_at in await self._fetch("lock_records", sorted(locked)):
            world.records[uri] = Stored(rev, cid, indexed_at, stored=True)
        if claim is not None:
            taken = await claim()
            self._claimed = own - taken - world.records.keys()
            if taken:
                await self._lock_taken(taken)
        keys: dict[str, dict[Key, str | None]] = {}
        known: dict[str, set[str]] = {}
        questions = world.questions
        gates: dict[str, list[Version]] = {}
        replies: list[Version] = []
        for event, kind in self.events:
            uri = cast(str, event.uri)
            stored = world.records.get(uri)
            if stored is not None and stored.rev > (event.rev or ""):
                continue
            if kind.duplicate_key is not None and (stored is not None or self.careful):
                known.setdefault(kind.collection, set()).add(uri)
            if event.kind == "delete":
                continue
            version = cast(Version, event)
            if kind.duplicate_key is not None:
                askers = keys.setdefault(kind.collection, {})
                key = kind.duplicate_key(version)
                askers[key] = uri if askers.get(key, uri) == uri else None
            elif kind.asks is not None:
                is_backfill = backfill if event.backfill is None else event.backfill
                questions.tells = speaks(notifications, event.kind, is_backfill=is_backfill)
                kind.asks(version, questions)
                replies.append(version)
            elif kind.collection == THREAD_GATE:
                gates.setdefault(uri, []).append(version)
        for uri in also:
            known.setdefault(aturi.parse(uri).collection, set()).add(uri)
        await self._groups(keys, known, locked, also)
        if replies:
            if batch_before is not None:
                await batch_before()
            await self._threads(replies, gates, deep=notifications != "off")
        return world

    async def _groups(
        self, keys: dict[str, dict[Key, str | None]], known: dict[str, set[str]], locked: set[str], also: set[str]
    ) -> None:
        """Which records are indexed under which duplicate key, and which are known duplicates of them.

        `keys` names per key the one record of the batch that has it, None where there are several.
        """
        world = self.world
        contested = set(also)
        indexed: dict[str, tuple[RecordType, Key]] = {}
        for kind in RECORDS.values():
            if kind.duplicate_key is None:
                continue
            if wanted := sorted(keys.get(kind.collection, ())):
                sql = self.statements.rows_of_keys(kind.tables[0], kind.key_columns)
                for uri, *key in await self.connection.fetch(sql, *(list(c) for c in zip(*wanted, strict=True))):
                    indexed[uri] = kind, tuple(key)
                    if keys[kind.collection][tuple(key)] != uri:
                        contested.add(uri)
        await self._indexed(known, indexed)
        related = set(indexed).union(*known.values())
        if not related:
            return
        related = await self._with_duplicates(related)
        if beside := related - locked:
            await self._lock_beside(beside)
            # what was read of them before they were locked may have changed
            for uri in beside:
                indexed.pop(uri, None)
            world.duplicates.clear()
            related = await self._with_duplicates(related)
            if not related <= locked | beside:
                raise WidenError(related - locked)
        more: dict[str, set[str]] = {}
        for uri in related.difference(indexed, *known.values()):  # beside them what the batch has a stale message of
            more.setdefault(aturi.parse(uri).collection, set()).add(uri)
        await self._indexed(more, indexed)
        await self._read_back((beside | contested).union(world.duplicates, world.duplicates.values()))
        for uri in related:
            self._join(uri, indexed)
        await self._rivals()

    async def _rivals(self) -> None:
        """Where the record that duplicates point at is gone (an account under removal), another may have its place."""
        orphaned: dict[str, list[Key]] = {}
        for (collection, key), group in self.world.groups.items():
            if group.indexed is None and group.revs:
                orphaned.setdefault(collection, []).append(key)
        for collection, keys in orphaned.items():
            kind = RECORDS[collection]
            sql = self.statements.rows_of_keys(kind.tables[0], kind.key_columns)
            if rows := await self.connection.fetch(sql, *(list(c) for c in zip(*sorted(keys), strict=True))):
                raise WidenError({row[0] for row in rows})

    async def _indexed(self, uris: dict[str, set[str]], into: dict[str, tuple[RecordType, Key]]) -> None:
        """The duplicate keys of records that are indexed; `uris` by collection."""
        for collection, some in uris.items():
            kind = RECORDS[collection]
            if kind.duplicate_key is not None:
                sql = self.statements.keys_of_rows(kind.tables[0], kind.key_columns)
                for uri, *key in await self.connection.fetch(sql, sorted(some)):
                    into[uri] = kind, tuple(key)

    async def _with_duplicates(self, related: set[str]) -> set[str]:
        """These records, what they are duplicates of, and the other duplicates of that."""
        for _ in range(2):
            rows = await self._fetch("duplicates_of_records", sorted(related))
            if not rows:
                break
            self.world.duplicates.update((uri, of) for uri, of in rows)
            related = related.union(*rows)
        return related

    async def _lock_beside(self, uris: set[str]) -> None:
        """Lock records that are not of the batch, out of order, and so without waiting.

        Raises `WidenError` where that would be needed: the batch starts again and locks all in order.
        """
        rows = await self._fetch("lock_free_records", sorted(uris))
        if len(rows) < len(uris):
            raise WidenError(uris)
        for uri, rev, cid, indexed_at in rows:
            self.world.records[uri] = Stored(rev, cid, indexed_at, stored=True)

    async def _lock_taken(self, uris: set[str]) -> None:
        """Lock records of the batch that came after its locks were asked for; the same as those beside it."""
        try:
            await self._lock_beside(uris)
        except WidenError:
            raise WidenError(set()) from None  # the next pass has them in its order

    def _join(self, uri: str, indexed: dict[str, tuple[RecordType, Key]]) -> None:
        world = self.world
        version = world.versions.get(uri)
        if uri in indexed:
            kind, key = indexed[uri]
            group = world.group(kind.collection, key)
            group.indexed = uri
        elif uri in world.duplicates and version is not None:
            kind = RECORDS[aturi.parse(uri).collection]
            assert kind.duplicate_key is not None
            group = world.group(kind.collection, kind.duplicate_key(version))
        else:
            return
        if world.is_live(uri):
            group.put(uri, world.records[uri].rev)
            world.group_of[uri] = group

    async def _read_back(self, uris: set[str]) -> None:
        """The stored versions of records that may become indexed. What does not validate any more never will."""
        rows = await self._record_json(uris) if uris else []
        records = decode_records([(aturi.parse(uri).collection, json) for uri, json in rows])
        for (uri, _), record in zip(rows, records, strict=True):
            if record is not None:
                parts = aturi.parse(uri)
                stored = self.world.records.get(uri)
                if stored is None:
                    raise MovedError(f"{uri} came after its lock was asked for")
                self.world.versions[uri] = StoredVersion(
                    uri,
                    parts.authority,
                    parts.rkey,
                    stored.cid,
                    stored.indexed_at,
                    record.value,
                    record.created_at,
                    record.description_facets,
                )

    async def threads(self, posts: list[Version]) -> None:
        """What posts are judged by that come alone; `world.questions` holds what they ask."""
        await self._threads(posts, {}, deep=False)

    async def _threads(self, replies: list[Version], gates: dict[str, list[Version]], *, deep: bool) -> None:
        world, questions = self.world, self.world.questions
        if questions.parents:
            await self._ancestors(REPLY_DEPTH - 1 if deep else 1)
        if wanted := questions.thread_gates | questions.post_gates:
            rows = await self._record_json(wanted)
            records = decode_records([(aturi.parse(uri).collection, json) for uri, json in rows])
            for (uri, _), record in zip(rows, records, strict=True):
                if record is not None:
                    into = world.thread_gates if f"/{THREAD_GATE}/" in uri else world.post_gates
                    into[uri] = record.value
        self._ask_by_gates(replies, gates)
        for table, keys in questions.pairs.items():
            kind = RECORDS["app.bsky.graph.follow" if table == "follow" else "app.bsky.graph.listitem"]
            sql = self.statements.rows_of_keys(kind.tables[0], kind.key_columns)
            found = await self.connection.fetch(sql, *(list(c) for c in zip(*sorted(keys), strict=True)))
            world.pairs[table] = {tuple(key) for _, *key in found}
        if questions.mentions:
            rows = await self._record_json(questions.mentions)
            records = decode_records([(POST, json) for _, json in rows])
            for (uri, _), record in zip(rows, records, strict=True):
                world.mentions[uri] = mentioned(record.value) if record is not None else set()
        if questions.replies_below:
            for row in await self._fetch("replies_below", sorted(questions.replies_below)):
                reply = Reply(*row)
                world.replies.setdefault(reply.parent, {})[reply.uri] = reply

    def _ask_by_gates(self, replies: list[Version], gates: dict[str, list[Version]]) -> None:
        """What the gates of these threads need to know: those that are there and those that this batch brings."""
        world, questions = self.world, self.world.questions
        known: dict[str, tuple[list[Rule], bool]] = {}
        for version in replies:
            reply = version.value.get("reply")
            root = reply["root"]["uri"] if reply else version.uri
            gate_uri = thread_gate_of(root)
            if gate_uri is None:
                continue
            if gate_uri not in known:
                values = [brought.value for brought in gates.get(gate_uri, ())]
                if gate_uri in world.thread_gates:
                    values.append(world.thread_gates[gate_uri])
                known[gate_uri] = rules_of(values), any(value.get("hiddenReplies") for value in values)
            rules, hides = known[gate_uri]
            if reply:
                ask_for_rules(version.creator, root, rules, questions)
            if hides:
                questions.replies_below.add(version.uri)

    async def _ancestors(self, height: int) -> None:
        world = self.world
        parents = world.questions.parents
        await self._posts_above(sorted(parents), height)
        if others := sorted(parents - world.posts.keys()):
            for uri, json in await self._record_json(others):
                world.other_parents[uri] = reply_of(json)
            # a neighbour may have committed a post between the two looks: its row says more than its record
            late = [uri for uri in others if uri in world.other_parents and aturi.parse(uri).collection == POST]
            if late:
                await self._posts_above(late, height)

    async def _posts_above(self, uris: list[str], height: int) -> None:
        for uri, parent, root, invalid in await self._fetch("ancestors", uris, height):
            self.world.posts[uri] = Post(uri, parent, root, invalid)

    async def _record_json(self, uris: Iterable[str]) -> list[tuple[Any, ...]]:
        """URI and text of live records, as they were before this batch: what it has claimed is not there yet."""
        return await self._fetch("record_json", sorted(set(uris) - self._claimed))

    async def _fetch(self, name: str, *arguments: object) -> list[tuple[Any, ...]]:
        return cast("list[tuple[Any, ...]]", await self.connection.fetch(self.statements[name], *arguments))
