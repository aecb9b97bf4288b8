"""State that follows from several records is the same whichever of them comes first, and whoever writes it
(design.md, derived state: DIV-11 to DIV-18).
"""

import asyncio
import itertools
from collections.abc import Sequence
from typing import Any

import pytest

from indexer.sink import commit
from indexer.sink.derive import derive_again
from tests.integration.invariants import broken
from tests.integration.test_sink_concurrency import neighbour, until_waiting
from tests.integration.writing import Writing, empty, writing
from tests.messages import (
    DISABLE,
    REVS,
    A,
    B,
    C,
    D,
    blob,
    cid,
    create,
    delete,
    like,
    like_uri,
    post,
    post_uri,
    postgate,
    quote,
    record,
    repost,
    repost_uri,
    threadgate,
    update,
    uri,
)

P, Q, R, X = post_uri(A, "p"), post_uri(B, "q"), repost_uri(C, "r"), post_uri(D, "x")
GATE, POST_GATE = uri(A, "app.bsky.feed.threadgate", "p"), uri(A, "app.bsky.feed.postgate", "p")

BORN = create(P, post("p"), REVS[10], cid("p"))
EDITED = update(P, post("edited"), REVS[20], cid("edited"))
DIED = delete(P, REVS[30])
GATED = create(GATE, threadgate(P), REVS[10], cid("gate"))
POST_GATED = create(POST_GATE, postgate(P, embeddingRules=DISABLE), REVS[10], cid("postgate"))
QUOTED = create(Q, post(embed=quote(P)), REVS[15], cid("q"))
REPOSTED = create(R, repost(P), REVS[15], cid("r"))
REPLIED = create(Q, post(parent=P), REVS[15], cid("q"))
REPLIED_BELOW = create(X, post(parent=Q, root=P), REVS[16], cid("x"))


async def one_by_one(sink: Writing, messages: Sequence[bytes]) -> None:
    await sink.feed(messages, 1)


async def in_one_batch(sink: Writing, messages: Sequence[bytes]) -> None:
    await sink.feed(messages)


async def unseen(sink: Writing, messages: Sequence[bytes]) -> None:
    """The last message and those before it, by two transactions of which none sees the other."""
    *before, last = messages
    async with neighbour_of(sink) as other:
        tasks = [
            asyncio.create_task(sink.batch([(f"{n}-0", payload) for n, payload in enumerate(part)]))
            for part in (before, [last])
        ]
        await until_waiting(other, 2)
        await other.execute("COMMIT")
        await asyncio.gather(*tasks)


def neighbour_of(sink: Writing) -> Any:
    """Somebody who stands in the way where a batch has written all but its commits."""
    return neighbour(sink.database, "LOCK TABLE actor_sync IN SHARE MODE")


WAYS = [one_by_one, in_one_batch, unseen]


async def in_any_order(database: str, way: Any, messages: Sequence[bytes], changed: Sequence[str] = ()) -> list[Any]:
    """Write the messages in each order; what `post`, `quote` and `feed_item` held each time, the invariants kept."""
    found = []
    async with writing(database) as sink:
        for order in itertools.permutations(messages):
            await way(sink, order)
            assert await broken(sink.pool, changed) == {}, order
            posts = await sink.fetch("""SELECT uri, cid, "invalidReplyRoot" AS invalid, "hasThreadGate" AS thread,
                "hasPostGate" AS post FROM post ORDER BY uri""")
            found.append(
                (
                    [tuple(value or None for value in row) for row in posts],
                    await sink.uris("quote"),
                    await sink.uris("feed_item"),
                )
            )
            await empty(sink.pool)
    return found


def plain(link: str, version: str, thread: Any = None, gate: Any = None, invalid: Any = None) -> tuple[Any, ...]:
    return (link, cid(version), invalid, thread, gate)


@pytest.mark.parametrize("way", WAYS)
async def test_div_11_gates_and_their_post(database: str, way: Any) -> None:
    found = await in_any_order(database, way, [BORN, GATED, POST_GATED])
    assert found == [([plain(P, "p", True, True)], [], [P])] * 6


@pytest.mark.parametrize("way", WAYS)
async def test_div_11_update_of_the_post_keeps_the_flag(database: str, way: Any) -> None:
    found = await in_any_order(database, way, [BORN, GATED, EDITED], [P])
    assert found == [([plain(P, "edited", True)], [], [P])] * 6


@pytest.mark.parametrize("way", WAYS)
async def test_div_11_gate_that_goes_takes_the_flag_along(database: str, way: Any) -> None:
    found = await in_any_order(database, way, [BORN, GATED, delete(GATE, REVS[11])])
    assert found == [([plain(P, "p")], [], [P])] * 6


@pytest.mark.parametrize("way", WAYS)
async def test_div_12_thread_becomes_valid_down_to_the_last_reply(database: str, way: Any) -> None:
    found = await in_any_order(database, way, [BORN, REPLIED, REPLIED_BELOW])
    assert found == [([plain(P, "p"), plain(Q, "q"), plain(X, "x")], [], [P, Q, X])] * 6


@pytest.mark.parametrize("way", WAYS)
async def test_div_12_wrong_root_stays_wrong(database: str, way: Any) -> None:
    wrong = create(X, post(parent=Q), REVS[16], cid("x"))
    found = await in_any_order(database, way, [BORN, REPLIED, wrong])
    assert found == [([plain(P, "p"), plain(Q, "q"), plain(X, "x", invalid=True)], [], [P, Q, X])] * 6


@pytest.mark.parametrize("way", WAYS)
async def test_div_12_parent_of_another_type(database: str, way: Any) -> None:
    shared = uri(A, "app.bsky.graph.list", "l")
    listed = create(shared, record("app.bsky.graph.list", name="l", purpose="app.bsky.graph.defs#modlist"))
    below = create(Q, post(parent=shared), REVS[15], cid("q"))
    deeper = create(X, post(parent=Q, root=shared), REVS[16], cid("x"))
    found = await in_any_order(database, way, [listed, below, deeper])
    assert found == [([plain(Q, "q"), plain(X, "x")], [], [Q, X])] * 6


async def test_div_12_deep_thread_whose_root_comes_last(database: str) -> None:
    links = [post_uri(did, f"d{n}") for n, did in zip(range(12), itertools.cycle([A, B, C]), strict=False)]
    replies = [
        create(link, post(parent=above, root=P), REVS[40 + n], cid(n))
        for n, (above, link) in enumerate(itertools.pairwise([P, *links]))
    ]
    for size in (1, 5, 100):
        async with writing(database) as sink:
            await sink.feed([*reversed(replies), BORN], size)
            assert await sink.value('SELECT count(*) FROM post WHERE "invalidReplyRoot"') == 0
            assert await broken(sink.pool) == {}
            await empty(sink.pool)


@pytest.mark.parametrize("way", WAYS)
async def test_div_13_duplicates(database: str, way: Any) -> None:
    links = [like_uri(B, f"l{n}") for n in range(3)]
    likes = [create(link, like(P), REVS[n], cid(n)) for n, link in enumerate(links)]
    async with writing(database) as sink:
        for order in itertools.permutations(likes):
            await way(sink, order)
            assert await broken(sink.pool) == {}
            assert [tuple(row) for row in await sink.fetch('SELECT uri, cid FROM "like"')] == [(links[0], cid(0))]
            rows = await sink.fetch('SELECT uri, cid, "duplicateOf", "indexedAt" FROM duplicate_record ORDER BY uri')
            times = {row[0]: row[1] for row in await sink.fetch('SELECT uri, "indexedAt" FROM record')}
            assert [tuple(row) for row in rows] == [
                (link, cid(n), links[0], times[link]) for n, link in enumerate(links) if n
            ]
            await empty(sink.pool)


@pytest.mark.parametrize("way", WAYS)
async def test_div_13_indexed_one_that_goes_is_followed_by_the_next(database: str, way: Any) -> None:
    first, second = repost_uri(B, "1"), repost_uri(B, "2")
    messages = [
        create(first, repost(P), REVS[1], cid(1)),
        create(second, repost(P), REVS[2], cid(2), time="2025-10-20T11:00:00Z"),
        delete(first, REVS[3]),
    ]
    async with writing(database) as sink:
        for order in itertools.permutations(messages):
            await way(sink, order)
            assert await broken(sink.pool) == {}
            row = (await sink.fetch('SELECT uri, cid, "indexedAt" FROM repost'))[0]
            assert tuple(row) == (second, cid(2), "2025-10-20T11:00:00Z")
            assert await sink.uris("feed_item") == [second]
            assert await sink.uris("duplicate_record") == []
            await empty(sink.pool)


async def test_div_14_update_of_a_post_keeps_what_hangs_on_it(database: str) -> None:
    for size in (1, 100):
        async with writing(database) as sink:
            await sink.feed([BORN, GATED, POST_GATED, QUOTED, REPOSTED, EDITED], size)
            row = (await sink.fetch(f"""SELECT text, "hasThreadGate", "hasPostGate" FROM post WHERE uri = '{P}'"""))[0]
            assert tuple(row) == ("edited", True, True)
            assert await sink.uris("quote") == [Q]
            assert await sink.uris("feed_item") == [P, Q, R]
            assert await broken(sink.pool) == {}
            await empty(sink.pool)


async def test_div_15_quotes_count_whatever_cid_they_name(database: str) -> None:
    other = create(X, post(embed=quote(P, cid("another"))), REVS[16], cid("x"))
    count = 'SELECT "quoteCount" FROM post_agg WHERE uri = $1'
    for size in (1, 100):
        async with writing(database) as sink:
            await sink.feed([QUOTED, other], size)
            assert await sink.value(count, P) == 2
            await sink.feed([delete(Q, REVS[40])])
            assert await sink.value(count, P) == 1
            await empty(sink.pool)


@pytest.mark.parametrize("way", WAYS)
async def test_div_16_embeds_go_with_their_post(database: str, way: Any) -> None:
    video = {"$type": "app.bsky.embed.video", "video": blob("v", "video/mp4")}
    filmed = create(P, post(embed=video), REVS[10], cid("p"))
    again = create(P, post("again"), REVS[40], cid("again"))
    found = await in_any_order(database, way, [filmed, DIED, again], [P])
    assert found == [([plain(P, "again")], [], [P])] * 6


@pytest.mark.parametrize("way", WAYS)
async def test_div_17_newest_version_wins_in_every_table(database: str, way: Any) -> None:
    newer = create(P, post("newer"), REVS[25], cid("newer"))
    found = await in_any_order(database, way, [BORN, EDITED, newer], [P])
    assert found == [([plain(P, "newer")], [], [P])] * 6


@pytest.mark.parametrize("way", WAYS)
async def test_div_18_what_is_older_than_the_deletion_does_not_hang_on(database: str, way: Any) -> None:
    found = await in_any_order(database, way, [BORN, DIED, QUOTED, REPOSTED], [P])
    assert found == [([plain(Q, "q")], [], [Q])] * 24


@pytest.mark.parametrize("way", WAYS)
async def test_div_18_what_is_newer_than_the_deletion_hangs_on(database: str, way: Any) -> None:
    quoted = create(Q, post(embed=quote(P)), REVS[31], cid("q"))
    reposted = create(R, repost(P), REVS[30], cid("r"))
    found = await in_any_order(database, way, [BORN, DIED, quoted, reposted], [P])
    assert found == [([plain(Q, "q")], [Q], [Q, R])] * 24


async def quotes_of_each_cut(database: str, messages: Sequence[bytes]) -> list[list[str]]:
    """URIs of quotes and feed items after the messages came one by one, and as one batch."""
    found = []
    async with writing(database) as sink:
        for size in (1, 100):
            await sink.feed(messages, size)
            found.append([*await sink.uris("quote"), *await sink.uris("feed_item")])
            await empty(sink.pool)
    return found


@pytest.mark.parametrize("way", WAYS)
async def test_div_18_repost_of_what_is_no_post_keeps_its_feed_item(database: str, way: Any) -> None:
    feed = uri(A, "app.bsky.feed.generator", "f")
    made = create(feed, record("app.bsky.feed.generator", did=A, displayName="f"), REVS[10], cid("f"))
    reposted = create(R, repost(feed), REVS[15], cid("r"))
    found = await in_any_order(database, way, [made, reposted, delete(feed, REVS[30])])
    assert found == [([], [], [R])] * 6


async def test_div_18_post_that_comes_again_in_the_same_batch_leaves_what_the_deletion_removed(database: str) -> None:
    again = create(P, post("again"), REVS[40], cid("again"))
    serial, batch = await quotes_of_each_cut(database, [BORN, QUOTED, REPOSTED, DIED, again])
    assert batch == serial == [P, Q]


@pytest.mark.parametrize("before", [[], [BORN, DIED], [delete(P, REVS[2])]])
async def test_div_18_deletion_of_a_post_that_is_not_there_counts_in_the_batch_too(
    database: str, before: list[bytes]
) -> None:
    """One by one the second run of the deriving statements finds what hangs on the tombstone."""
    quoted = create(Q, post(embed=quote(P)), REVS[31], cid("q"))
    reposted = create(R, repost(P), REVS[31], cid("r"))
    messages = [*before, quoted, reposted, delete(P, REVS[35]), create(P, post("again"), REVS[40], cid("again"))]
    serial, batch = await quotes_of_each_cut(database, messages)
    assert batch == serial


@pytest.mark.parametrize("way", WAYS)
async def test_div_18_renewed_record_hangs_on_by_its_new_rev(database: str, way: Any) -> None:
    """The same version under a rev newer than the deletion: by the rule on rows, quote and feed item are there."""
    renewed = create(Q, post(embed=quote(P)), REVS[40], cid("q"))
    found = await in_any_order(database, way, [DIED, QUOTED, renewed])
    assert found == [([plain(Q, "q")], [Q], [Q])] * 6
    renewed = create(R, repost(P), REVS[40], cid("r"))
    found = await in_any_order(database, way, [DIED, REPOSTED, renewed])
    assert found == [([], [], [R])] * 6


@pytest.mark.parametrize("first", ["deletion", "renewal"])
async def test_div_18_deletion_and_renewal_that_miss_each_other(database: str, first: str) -> None:
    """The deletion removes what the renewal still sees: whoever commits last finds it missing."""
    renewed = [create(Q, post(embed=quote(P)), REVS[40], cid("q")), create(R, repost(P), REVS[40], cid("r"))]
    parts = [[DIED], renewed] if first == "deletion" else [renewed, [DIED]]
    async with writing(database) as sink:
        await sink.feed([BORN, QUOTED, REPOSTED])
        async with neighbour_of(sink) as other:
            tasks = []
            for n, part in enumerate(parts, 1):
                batch = [(f"{n}-{place}", payload) for place, payload in enumerate(part)]
                tasks.append(asyncio.create_task(sink.batch(batch)))
                await until_waiting(other, n)
            await other.execute("COMMIT")
            await asyncio.gather(*tasks)
        assert await sink.uris("quote") == [Q]
        assert await sink.uris("feed_item") == [Q, R]
        assert await sink.value('SELECT "quoteCount" FROM post_agg WHERE uri = $1', P) == 1
        assert await broken(sink.pool, [P]) == {}


@pytest.mark.parametrize(
    "renewals",
    [
        [(8, "r"), (16, "r"), "again"],  # older than the deletion
        [(8, "r"), "again", (16, "r")],  # the post is there again: it hangs on, as a missing feed item of the reference
        [(40, "r"), "again"],
        ["again", (40, "r"), "died"],
    ],
)
async def test_div_18_renewals_about_a_post_that_comes_and_goes_in_the_batch(
    database: str, renewals: list[Any]
) -> None:
    moves = {"again": create(P, post("again"), REVS[32], cid("again")), "died": delete(P, REVS[44])}
    said = [moves[it] if isinstance(it, str) else create(R, repost(P), REVS[it[0]], cid(it[1])) for it in renewals]
    for before in ([], [create(R, repost(P), REVS[5], cid("r"))]):
        serial, batch = await quotes_of_each_cut(database, [*before, DIED, *said])
        assert batch == serial


async def test_derivation_that_a_crash_left_out_is_made_up_by_the_redelivery(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both transactions committed, both died before they derived: their messages come again and change no record."""
    async with writing(database) as sink:
        with monkeypatch.context() as crash:

            async def nothing(*_: object, **__: object) -> int:
                return 0

            crash.setattr("indexer.sink.commit.derive_again", nothing)
            await unseen(sink, [REPLIED, QUOTED, REPOSTED, BORN])
            await unseen(sink, [BORN, GATED])
        assert await broken(sink.pool) != {}, "the two did see each other"
        await sink.feed([GATED, REPLIED])
        assert await broken(sink.pool) == {}


async def test_deriving_finds_nothing_where_all_is_right(database: str) -> None:
    async with writing(database) as sink:
        for messages in ([BORN, GATED, REPLIED, REPOSTED, REPLIED_BELOW, EDITED, DIED], [GATED, POST_GATED, BORN]):
            for outcome in await sink.feed(messages, 1):
                assert outcome.derived == 0
            await empty(sink.pool)


@pytest.mark.parametrize("connections", [1, 2])
async def test_threads_are_read_when_the_batch_before_is_derived(
    database: str, monkeypatch: pytest.MonkeyPatch, connections: int
) -> None:
    """Also where it has to wait for a connection that the next batch holds."""
    monkeypatch.setattr(commit, "LONGEST_WAIT_S", 0.2)
    go_on = asyncio.Event()

    async def late(*arguments: Any) -> int:
        arguments[-1]()
        await go_on.wait()
        return await derive_again(*arguments)

    async with writing(database, connections=connections) as sink:
        await sink.feed([REPLIED])
        assert await sink.value('SELECT "invalidReplyRoot" FROM post WHERE uri = $1', Q) is True
        monkeypatch.setattr(commit, "derive_again", late)
        before = await sink.write([("2-0", BORN)])
        after = asyncio.create_task(sink.write([("3-0", REPLIED_BELOW)]))
        await asyncio.sleep(0.5)
        assert not after.done()
        go_on.set()
        for outcome in (before, await after):
            assert outcome.rest is not None
            await outcome.rest
        flags = await sink.fetch('SELECT "invalidReplyRoot" FROM post WHERE uri = ANY($1) ORDER BY uri', [Q, X])
        assert [row[0] for row in flags] == [False, None]
