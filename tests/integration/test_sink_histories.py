"""Small histories that Hypothesis draws: cut anywhere they give the serial fold, in any order the invariants.

The histories are about one thing at a time that makes batches hard: a thread with gates, hidden replies and mutes, and
records that say the same. Histories of everything at once are in `tests/convergence`.
"""

import asyncio
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from indexer.sink import commit
from tests.integration.invariants import broken
from tests.integration.writing import GENERATED, Snapshot, Writing, empty, snapshot, writing
from tests.messages import (
    DISABLE,
    REVS,
    A,
    B,
    C,
    Record,
    cid,
    create,
    delete,
    follow,
    like,
    like_uri,
    listitem,
    mention,
    post,
    post_uri,
    postgate,
    quote,
    repost,
    repost_uri,
    threadgate,
    update,
    uri,
)

PEOPLE = (A, B, C)
POSTS = tuple(post_uri(PEOPLE[n % 3], f"p{n}") for n in range(7))
"""A post may answer any that stands before it here, whatever comes first in the stream."""
LIST = uri(A, "app.bsky.graph.list", "l")
RULES: tuple[Record, ...] = (
    {"$type": "app.bsky.feed.threadgate#mentionRule"},
    {"$type": "app.bsky.feed.threadgate#followerRule"},
    {"$type": "app.bsky.feed.threadgate#followingRule"},
    {"$type": "app.bsky.feed.threadgate#listRule", "list": LIST},
)
people = st.sampled_from(PEOPLE)
posts = st.sampled_from(POSTS)
Write = tuple[str, Record]


@st.composite
def thread_posts(draw: st.DrawFn) -> Write:
    place = draw(st.integers(0, len(POSTS) - 1))
    parent = draw(st.sampled_from(POSTS[max(0, place - 2) : place])) if place else None
    facets = draw(st.sampled_from([None, None, None, mention(B, C)]))
    embed = draw(st.sampled_from([None, None, None, quote(POSTS[0]), quote(POSTS[-1])]))
    return POSTS[place], post(parent=parent, root=parent and POSTS[0], facets=facets, embed=embed)


@st.composite
def gates(draw: st.DrawFn) -> Write:
    """Gates of the thread's root for the most part."""
    subject = draw(st.sampled_from([POSTS[0]] * 5 + [POSTS[1]]))
    if draw(st.integers(0, 4)) == 0:
        gate = subject.replace("app.bsky.feed.post", "app.bsky.feed.postgate")
        return gate, postgate(subject, embeddingRules=draw(st.sampled_from([None, DISABLE])))
    hidden = draw(st.lists(posts, max_size=2))
    allow = draw(st.one_of(st.none(), st.none(), st.lists(st.sampled_from(RULES), max_size=2)))
    gate = subject.replace("app.bsky.feed.post", "app.bsky.feed.threadgate")
    return gate, threadgate(subject, hiddenReplies=hidden, allow=allow)


@st.composite
def relations(draw: st.DrawFn) -> Write:
    did, key = draw(people), draw(st.sampled_from("ab"))
    match draw(st.integers(0, 3)):
        case 0:
            return uri(did, "app.bsky.graph.follow", key), follow(draw(people))
        case 1:
            return uri(A, "app.bsky.graph.listitem", key), listitem(LIST, draw(people))
        case 2:
            return like_uri(did, key), like(draw(posts), draw(st.sampled_from([None, repost_uri(B, "a")])))
        case _:
            return repost_uri(did, key), repost(draw(posts))


@dataclass(frozen=True)
class History:
    """Messages in stream order, and the threads that people muted before them."""

    messages: list[bytes]
    mutes: list[tuple[str, str]] = field(default_factory=list)

    def below_changed(self) -> set[str]:
        """Replies below posts that had more than one version: what these were at the time may be gone."""
        versions: dict[str, set[object]] = {}
        parents: set[tuple[str, str]] = set()
        for message in map(json.loads, self.messages):
            link = uri(message["did"], message["collection"], message["rkey"])
            versions.setdefault(link, set()).add(message.get("cid"))
            if parent := message.get("record", {}).get("reply", {}).get("parent"):
                parents.add((link, parent["uri"]))
        found = {link for link, seen in versions.items() if len(seen) > 1}
        for _ in POSTS:
            found |= {link for link, parent in parents if parent in found}
        return found


@st.composite
def histories(draw: st.DrawFn) -> History:
    writes = draw(
        st.lists(
            st.tuples(
                st.one_of(thread_posts(), thread_posts(), gates(), relations()),
                st.sampled_from("cccuud"),
                st.sampled_from([0] * 8 + [2, 7]),
                st.sampled_from([False] * 6 + [True]),
            ),
            min_size=2,
            max_size=30,
        )
    )
    messages = []
    for place, ((link, said), kind, stale, backfill) in enumerate(writes, 1):
        rev = REVS[max(0, place * 4 - stale * 4 - bool(stale))]
        fields = {"time": f"2025-10-20T10:00:{place:02}Z", "seq": -2 if backfill else 1, "commit": cid(place)}
        if kind == "d":
            messages.append(delete(link, rev, **fields))
        else:
            messages.append((create if kind == "c" else update)(link, said, rev, cid(str(said)), **fields))
        if draw(st.integers(0, 9)) == 0:
            messages.append(draw(st.sampled_from(messages)))
    mutes = draw(st.lists(st.tuples(posts, people), max_size=2, unique=True))
    return History(messages, mutes)


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commit, "_now", lambda: "2025-11-01T00:00:00.000Z")


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


async def deliver(sink: Writing, history: History, sizes: int | Sequence[int]) -> Snapshot:
    await empty(sink.pool)
    for root, did in history.mutes:
        await sink.pool.execute("INSERT INTO thread_mute VALUES ($1, $2, '')", root, did)
    await sink.feed(history.messages, sizes)
    found = await snapshot(sink.pool, GENERATED)
    unsettled = history.below_changed()
    found["post"] = [_judged(json.loads(row), unsettled) for row in found.get("post", ())]
    return found


def _judged(row: dict[str, object], unsettled: set[str]) -> str:
    """A post without what may show the cuts; NULL and false of the flags mean the same to every reader."""
    if row["uri"] in unsettled:
        row["invalidReplyRoot"] = None
    return json.dumps({name: value or None for name, value in row.items()}, sort_keys=True)


def explored(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large],
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )


def batches_equal_the_serial_fold(runner: asyncio.Runner, database: str, examples: int) -> None:
    async def check(history: History, sizes: list[int]) -> None:
        async with writing(database, connections=1) as sink:
            serial = await deliver(sink, history, 1)
            assert await broken_but_validity(sink) == {}
            assert await deliver(sink, history, sizes) == serial, sizes

    @explored(examples)
    @given(histories(), st.lists(st.integers(1, 12), max_size=5))
    def run(history: History, sizes: list[int]) -> None:
        runner.run(check(history, sizes))

    run()


async def broken_but_validity(sink: Writing) -> dict[str, object]:
    """The invariants; of replies only those whose parents had one version are judged by them."""
    rows = await sink.fetch("SELECT uri FROM record")
    return dict(await broken(sink.pool, {row[0] for row in rows}))


def any_order_keeps_the_invariants(runner: asyncio.Runner, database: str, examples: int) -> None:
    async def check(history: History, chance: random.Random) -> None:
        messages = [*history.messages, *chance.sample(history.messages, len(history.messages) // 3)]
        chance.shuffle(messages)
        lanes = chance.randint(1, 3)
        async with AsyncExitStack() as stack:
            sinks = [await stack.enter_async_context(writing(database, connections=1)) for _ in range(lanes)]
            await empty(sinks[0].pool)
            await asyncio.gather(
                *(
                    sink.feed(messages[n::lanes], [chance.randint(1, 8) for _ in messages])
                    for n, sink in enumerate(sinks)
                )
            )
            assert await broken_but_validity(sinks[0]) == {}
            newest = await versions(sinks[0])
            await deliver(sinks[0], history, 1)
            assert newest == await versions(sinks[0])

    @explored(examples)
    @given(histories(), st.integers(0, 2**32))
    def run(history: History, seed: int) -> None:
        runner.run(check(history, random.Random(seed)))

    run()


async def versions(sink: Writing) -> list[tuple[object, ...]]:
    """Which version of each record is stored, and which records are indexed."""
    records = await sink.fetch("SELECT uri, rev, cid FROM record ORDER BY uri")
    tables = ("post", "like", "repost", "follow", "list_item", "thread_gate", "post_gate", "duplicate_record")
    return [*(tuple(row) for row in records), *[(table, *await sink.uris(table)) for table in tables]]


@pytest.mark.timeout(300)
def test_batches_cut_anywhere_equal_the_serial_fold(runner: asyncio.Runner, database: str) -> None:
    batches_equal_the_serial_fold(runner, database, 15)


@pytest.mark.timeout(300)
def test_any_order_over_several_sinks_keeps_the_invariants(runner: asyncio.Runner, database: str) -> None:
    any_order_keeps_the_invariants(runner, database, 15)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_histories_cut_anywhere_equal_the_serial_fold(runner: asyncio.Runner, database: str) -> None:
    batches_equal_the_serial_fold(runner, database, 2000)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_many_histories_in_any_order_keep_the_invariants(runner: asyncio.Runner, database: str) -> None:
    any_order_keeps_the_invariants(runner, database, 1000)
