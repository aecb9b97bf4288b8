"""State that follows from rows of several records, derived again after the commit (design.md, derived state).

Two transactions that do not see each other may both miss the other: a reply and its parent, a gate and its post, a
quote or repost and the deletion of its post; a status and an older deletion of one account. Whoever commits last sees
both here. Nothing changes where all is right.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from indexer._native import Event
from indexer.connections.database import Connection
from indexer.fold import aturi
from indexer.fold.record_type import Table, Version
from indexer.fold.world import Post, World
from indexer.records import RECORDS
from indexer.records._feed_item import FEED_ITEM
from indexer.records.post.embeds import QUOTE, quoted_post
from indexer.records.post.threads import parent_arrived, reply_of
from indexer.records.repost import hangs_on
from indexer.sink.accounts import withdraw_deletions
from indexer.sink.counts import Aggregates, Deltas
from indexer.sink.hanging import Hanging, restore
from indexer.sink.statements import Statements

POST = "app.bsky.feed.post"
REPOST = "app.bsky.feed.repost"
_GATES = ("app.bsky.feed.threadgate", "app.bsky.feed.postgate")


@dataclass(slots=True)
class DerivedKeys:
    """The keys of a batch, whether their rows changed or not: a redelivery derives again."""

    parents: set[str] = field(default_factory=set)
    posts: set[str] = field(default_factory=set)
    gated: set[str] = field(default_factory=set)
    reposts: dict[str, Hanging] = field(default_factory=dict)
    quotes: dict[str, Hanging] = field(default_factory=dict)
    accounts: set[str] = field(default_factory=set)
    """DIDs with account events."""

    def add(self, events: Iterable[Event]) -> None:
        """What events may have left undone, in their order."""
        for event in events:
            if event.kind == "account":
                self.accounts.add(event.did)
            if event.collection not in RECORDS or event.uri is None:
                continue
            uri, arrives = event.uri, event.kind != "delete"
            if arrives:
                self.parents.add(uri)
            if event.collection == POST:
                self.posts.add(uri)
                self.gated.add(uri)
                if arrives and (quoted := quoted_post(cast(Version, event))) is not None:
                    self.quotes[uri] = Hanging.of(cast(Version, event), quoted, event.time)
            elif event.collection in _GATES:
                self.gated.add(aturi.parse(uri).sibling(POST))
            elif event.collection == REPOST and arrives:
                version = cast(Version, event)
                if (post := hangs_on(version)) is not None:
                    self.reposts[uri] = Hanging.of(version, post, version.time)

    def add_dropped(self, dropped: Mapping[Table, Iterable[Hanging]]) -> None:
        """What the batch removed because its post was deleted, if no event of it says more."""
        for hanging in dropped[FEED_ITEM]:
            self.reposts.setdefault(hanging.uri, hanging)
        for hanging in dropped[QUOTE]:
            self.quotes.setdefault(hanging.uri, hanging)

    def __bool__(self) -> bool:
        return bool(self.parents or self.posts or self.gated or self.accounts)


async def derive_again(
    connection: Connection,
    statements: Statements,
    keys: DerivedKeys,
    aggregates: Aggregates,
    begun: Callable[[], None] = lambda: None,
) -> int:
    """Mend what transactions that missed each other left, in transactions of their own; returns what was found.

    `begun` is called when the first of them has begun.
    """
    if not keys:
        return 0
    reposts, quotes = sorted(keys.reposts.values()), sorted(keys.quotes.values())
    columns = (
        *(sorted(uris) for uris in (keys.parents, keys.posts, keys.gated)),
        *([hanging.uri for hanging in some] for some in (reposts, quotes)),
        *([hanging.post for hanging in some] for some in (reposts, quotes)),
        *([hanging.cid for hanging in some] for some in (reposts, quotes)),
    )
    deltas = Deltas()
    found: dict[str, set[str]] = {}
    await connection.execute(f"{statements['begin']};\n{statements['take_number']}")
    begun()
    for what, uri in await connection.fetch(statements["loose_ends"], *columns):
        found.setdefault(what, set()).add(uri)
    if "gate" in found:
        await connection.execute(statements["lock_posts"], sorted(found["gate"]))
        await connection.execute(statements["flag_gates"], sorted(found["gate"]), [])
    if "feed_item" in found:
        await connection.execute(statements["drop_outlived_feed_items"], sorted(found["feed_item"]))
    if missing := found.get("no_feed_item"):
        await restore(connection, statements, FEED_ITEM, (keys.reposts[uri] for uri in missing), deltas)
    if "quote" in found:
        deltas.deleted(QUOTE, await connection.fetch(statements["drop_outlived_quotes"], sorted(found["quote"])))
    if missing := found.get("no_quote"):
        await restore(connection, statements, QUOTE, (keys.quotes[uri] for uri in missing), deltas)
    if keys.accounts:
        await withdraw_deletions(connection, statements, keys.accounts)
    await deltas.write(connection, statements, aggregates)
    await connection.execute("COMMIT")
    if "thread" in found:
        await _threads(connection, statements, found["thread"])
    return sum(len(uris) for uris in found.values())


async def _threads(connection: Connection, statements: Statements, replies: set[str]) -> None:
    """Judge replies again whose parents came late, and what is below those that are right now, until nothing changes
    (DIV-12).
    """
    while True:
        await connection.execute(statements["begin"])
        cleared, invalid = await _judge(connection, statements, replies)
        if right := sorted(replies - invalid):
            rows = await connection.fetch(statements["flagged_below"], right)
            if below := {row[0] for row in rows} - replies:
                replies |= below
                cleared, _ = await _judge(connection, statements, replies)
        if cleared:
            await connection.execute(statements["lock_posts"], sorted(cleared))
            await connection.execute(statements["clear_invalid"], sorted(cleared))
        await connection.execute("COMMIT")
        if not cleared:
            return


async def _judge(connection: Connection, statements: Statements, replies: set[str]) -> tuple[set[str], set[str]]:
    """Of the invalid replies those that turn out to be valid, and those that do not."""
    world = World(now="")
    judged: list[Post] = []
    others: set[str] = set()
    for uri, parent, root, is_post, invalid, grandparent, parent_root in await connection.fetch(
        statements["replies_to_judge"], sorted(replies)
    ):
        judged.append(Post(uri, parent, root, invalid=True))
        if is_post:
            world.posts[parent] = Post(parent, grandparent, parent_root, invalid)
        else:
            others.add(parent)
    if others:
        for uri, json in await connection.fetch(statements["record_json"], sorted(others)):
            world.other_parents[uri] = reply_of(json)
    world.posts.update({post.uri: post for post in judged})
    for post in judged:
        world.waiting.setdefault(post.parent or "", []).append(post)
    for parent in list(world.waiting):
        parent_arrived(parent, world)
    cleared = {post.uri for post in judged if not post.invalid}
    return cleared, {post.uri for post in judged if post.invalid}
