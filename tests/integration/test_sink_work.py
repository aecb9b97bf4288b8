"""The work of a batch grows with its messages and with what they change, not with the square of either."""

import itertools
from importlib import import_module

import pytest

from indexer.fold.world import Post, Questions, Reply, World
from indexer.records.post import gates, threads
from indexer.sink import reads
from tests.integration.writing import writing
from tests.messages import A, B, cid, create, post, post_uri, rev, threadgate, update, uri

LETTERS = "234567abcdefghijklmnopqrstuvwxyz"
REPLIES = 200
ROOT = post_uri(A, "root")


def rev_of(number: int) -> str:
    return rev(LETTERS[number // 32] + LETTERS[number % 32])


async def test_thread_that_comes_last_first_is_judged_once(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each reply when it comes, and once more when its parent did; all below the root are asked for at once."""
    judged: list[str] = []
    has_invalid_root = threads.has_invalid_root

    def counted(reply: Post, world: World) -> bool:
        judged.append(reply.uri)
        return has_invalid_root(reply, world)

    monkeypatch.setattr(threads, "has_invalid_root", counted)
    uris = [ROOT, *(post_uri(B, str(number)) for number in range(REPLIES))]
    replies = [
        create(of, post("x", parent=above, root=ROOT), rev_of(number), cid(of))
        for number, (above, of) in enumerate(itertools.pairwise(uris))
    ]
    async with writing(database) as sink:
        await sink.feed(replies[::-1])
        assert await sink.value('SELECT count(*) FROM post WHERE "invalidReplyRoot"') == REPLIES
        judged.clear()
        sink.statements.asked.clear()
        await sink.feed([create(ROOT, post("root"), rev_of(REPLIES))])
        assert await sink.value('SELECT count(*) FROM post WHERE "invalidReplyRoot"') == 0
        assert len(judged) <= 4 * REPLIES
        assert sink.statements.asked["flagged_below"] <= 2


async def test_reply_that_stays_invalid_has_no_look_at_what_is_below_it(database: str) -> None:
    middle, last = post_uri(B, "middle"), post_uri(B, "last")
    async with writing(database) as sink:
        await sink.feed([create(last, post("x", parent=middle, root=ROOT), rev_of(0), cid("last"))])
        sink.statements.asked.clear()
        await sink.feed([create(middle, post("x", parent=post_uri(A, "gone"), root=ROOT), rev_of(1), cid("middle"))])
        assert sink.statements.asked["flagged_below"] == 0
        assert await sink.value('SELECT count(*) FROM post WHERE "invalidReplyRoot"') == 2


async def test_gate_that_is_updated_beside_replies_is_asked_about_once(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[gates.Rule] = []

    def counted(replier: str, root: str, rules: list[gates.Rule], questions: Questions) -> None:
        asked.extend(rules)
        gates.ask_for_rules(replier, root, rules, questions)

    monkeypatch.setattr(reads, "ask_for_rules", counted)
    gate = uri(A, "app.bsky.feed.threadgate", "root")
    rules = [{"$type": f"app.bsky.feed.threadgate#{name}Rule"} for name in ("mention", "follower")]
    messages = [create(ROOT, post("root"), rev_of(0))]
    for number in range(1, REPLIES):
        messages += [
            create(post_uri(B, str(number)), post("x", parent=ROOT), rev_of(number), cid(number)),
            update(gate, threadgate(ROOT, allow=rules[: number % 3]), rev_of(number), cid(("gate", number))),
        ]
    async with writing(database) as sink:
        await sink.feed(messages)
        assert await sink.value("SELECT count(*) FROM post") == REPLIES
        assert len(asked) == (REPLIES - 1) * len(rules)


async def test_replies_below_a_post_are_found_without_a_look_at_all_others(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a gate hides replies, a post that comes late tells of up to five levels below it."""
    found: list[str] = []

    def counted(uri: str, *rest: str) -> Reply:
        found.append(uri)
        return Reply(uri, *rest)

    monkeypatch.setattr(import_module("indexer.records.post.notices"), "Reply", counted)
    gate = uri(A, "app.bsky.feed.threadgate", "root")
    uris = [ROOT, *(post_uri(B, str(number)) for number in range(REPLIES))]
    replies = [
        create(of, post("x", parent=above, root=ROOT), rev_of(number), cid(of))
        for number, (above, of) in enumerate(itertools.pairwise(uris))
    ]
    async with writing(database) as sink:
        await sink.feed(
            [
                create(ROOT, post("root"), rev_of(0)),
                create(gate, threadgate(ROOT, hiddenReplies=uris[1:2]), rev_of(0)),
                *reversed(replies),
            ]
        )
        assert await sink.value("SELECT count(*) FROM post") == 1 + REPLIES
        assert REPLIES < len(found) <= 5 * REPLIES
