"""Who is told what (vectors.md 4, records.md 2.5 and 5), by kind of event and by mode."""

import pytest

from indexer.fold.notifications import Notifications
from tests.messages import (
    C1,
    C2,
    CREATED_COLUMN,
    DISABLE,
    REVS,
    TIME,
    A,
    B,
    C,
    D,
    Record,
    cid,
    create,
    delete,
    follow,
    like,
    like_uri,
    mention,
    post,
    post_uri,
    postgate,
    quote,
    record,
    reference,
    repost,
    repost_uri,
    threadgate,
    update,
    uri,
    verification,
)
from tests.unit.folding import NOW, tables_after

P1 = post_uri(A, "p1")
R = repost_uri(C, "r")
VERIFICATION = uri(A, "app.bsky.graph.verification", "v")

TELLING: dict[str, tuple[str, Record, list[tuple[str, str, str | None]]]] = {
    "like": (like_uri(B, "x"), like(P1), [(A, "like", P1)]),
    "like via": (like_uri(B, "x"), like(P1, via=R), [(A, "like", P1), (C, "like-via-repost", R)]),
    "like via one's own": (like_uri(B, "x"), like(P1, via=repost_uri(B, "r")), [(A, "like", P1)]),
    "like of oneself via": (like_uri(A, "x"), like(P1, via=R), []),
    "like of a bare DID": (like_uri(B, "x"), like(f"at://{A}"), [(A, "like", f"at://{A}/")]),
    "repost": (repost_uri(B, "x"), repost(P1), [(A, "repost", P1)]),
    "repost via": (repost_uri(B, "x"), repost(P1, via=R), [(A, "repost", P1), (C, "repost-via-repost", R)]),
    "follow": (uri(B, "app.bsky.graph.follow", "x"), follow(A), [(A, "follow", None)]),
    "follow of oneself": (uri(A, "app.bsky.graph.follow", "x"), follow(A), [(A, "follow", None)]),
    "verification": (uri(B, "app.bsky.graph.verification", "x"), verification(A), [(A, "verified", None)]),
    "profile from a starter pack": (
        uri(A, "app.bsky.actor.profile", "self"),
        record("app.bsky.actor.profile", joinedViaStarterPack=reference(uri(B, "app.bsky.graph.starterpack", "s"))),
        [(B, "starterpack-joined", uri(B, "app.bsky.graph.starterpack", "s"))],
    ),
    "profile without": (uri(A, "app.bsky.actor.profile", "self"), record("app.bsky.actor.profile"), []),
    "profile that is not self": (
        uri(A, "app.bsky.actor.profile", "other"),
        record("app.bsky.actor.profile", joinedViaStarterPack=reference(uri(B, "app.bsky.graph.starterpack", "s"))),
        [],
    ),
    "mentions and a quote": (
        post_uri(B, "x"),
        post(facets=mention(A, B, C, A), embed=quote(P1)),
        [(A, "mention", None), (C, "mention", None)],
    ),
    "quote": (post_uri(B, "x"), post(embed=quote(P1)), [(A, "quote", P1)]),
    "quote of oneself": (post_uri(A, "x"), post(embed=quote(P1)), []),
    "embed of a list": (post_uri(B, "x"), post(embed=quote(uri(A, "app.bsky.graph.list", "l"))), []),
    "block": (uri(B, "app.bsky.graph.block", "x"), record("app.bsky.graph.block", subject=A), []),
}


@pytest.mark.parametrize("what", TELLING)
def test_update_of_a_record_not_seen_yet_notifies_as_an_insertion(what: str) -> None:
    link, said, told = TELLING[what]
    assert tables_after(update(link, said), notifications="updates").told == told


@pytest.mark.parametrize("what", TELLING)
@pytest.mark.parametrize(
    ("mode", "kind", "seq", "speaks"),
    [
        ("live", create, 1, True),
        ("live", create, None, True),
        ("live", create, -2, False),
        ("live", update, -1, False),
        ("all", create, -2, True),
        ("updates", create, 1, False),
        ("updates", update, -2, True),
        ("off", create, 1, False),
        ("off", update, 1, False),
    ],
)
def test_mode_decides_which_events_notify(
    what: str, mode: Notifications, kind: type, seq: int | None, speaks: bool
) -> None:
    link, said, told = TELLING[what]
    tables = tables_after(kind(link, said, seq=seq), notifications=mode)
    assert tables.told == (told if speaks else [])


def test_notification_holds_the_record_and_the_lesser_time() -> None:
    (notice,) = tables_after(create(like_uri(B, "x"), like(P1), cid=C2)).notices
    assert (notice.recipient, notice.record_uri, notice.record_cid, notice.author) == (A, like_uri(B, "x"), C2, B)
    assert notice.sort_at == min(CREATED_COLUMN, TIME)


def test_starter_pack_is_told_at_the_time_of_the_event() -> None:
    link, said, _ = TELLING["profile from a starter pack"]
    (notice,) = tables_after(create(link, said)).notices
    assert notice.sort_at == TIME


def test_update_of_a_known_like_notifies_nobody_again() -> None:
    tables = tables_after(
        create(like_uri(B, "x"), like(P1), REVS[1], C1), update(like_uri(B, "x"), like(P1), REVS[2], C2)
    )
    assert len(tables.told) == 1
    assert tables.notices[0].record_cid == C1


def test_duplicate_notifies_nobody() -> None:
    tables = tables_after(
        create(like_uri(B, "x"), like(P1), REVS[1]), create(like_uri(B, "y"), like(P1), REVS[2], cid("y"))
    )
    assert [notice.record_uri for notice in tables.notices] == [like_uri(B, "x")]


def test_deleting_a_like_takes_its_notification_along() -> None:
    tables = tables_after(create(like_uri(B, "x"), like(P1), REVS[1]), delete(like_uri(B, "x"), REVS[2]))
    assert tables.told == []
    assert tables.world.retracted == {like_uri(B, "x")}


def test_deleting_a_like_that_another_replaces_keeps_its_notification() -> None:
    tables = tables_after(
        create(like_uri(B, "x"), like(P1), REVS[1]),
        create(like_uri(B, "y"), like(P1), REVS[2], cid("y")),
        delete(like_uri(B, "x"), REVS[3]),
    )
    assert [notice.record_uri for notice in tables.notices] == [like_uri(B, "x")]
    assert tables.world.retracted == set()


def test_mode_off_still_removes_the_notifications_of_what_is_deleted() -> None:
    events = create(like_uri(B, "x"), like(P1), REVS[1]), delete(like_uri(B, "x"), REVS[2], seq=-2)
    assert tables_after(*events, notifications="off").world.retracted == {like_uri(B, "x")}


def test_updated_post_notifies_anew_instead_of_twice() -> None:
    p = post_uri(B, "p")
    tables = tables_after(
        create(p, post(facets=mention(A, C)), REVS[1], C1), update(p, post(facets=mention(C, D)), REVS[2], C2)
    )
    assert tables.told == [(C, "mention", None), (D, "mention", None)]
    assert {notice.record_cid for notice in tables.notices} == {C2}
    assert tables.world.retracted == {p}


def test_div_17_backfill_that_acts_as_an_update_touches_no_notification() -> None:
    p = post_uri(B, "p")
    live = create(p, post(facets=mention(A)), REVS[1], C1)
    for mode in ("live", "all"):
        tables = tables_after(live, create(p, post(facets=mention(C)), REVS[2], C2, seq=-2), notifications=mode)
        assert tables.told == [(A, "mention", None)]
        assert tables.world.retracted == set()


def test_div_17_live_create_that_acts_as_an_update_notifies_as_one() -> None:
    p = post_uri(B, "p")
    tables = tables_after(
        create(p, post(facets=mention(A)), REVS[1], C1), create(p, post(facets=mention(C)), REVS[2], C2)
    )
    assert tables.told == [(C, "mention", None)]


class TestVerifications:
    """records.md 5.9."""

    seen = create(VERIFICATION, verification(B), REVS[1], C1)

    def test_update_says_unverified_of_the_old_and_nothing_of_the_new(self) -> None:
        tables = tables_after(self.seen, update(VERIFICATION, verification(C), REVS[2], C2), notifications="updates")
        (notice,) = tables.notices
        assert (notice.recipient, notice.reason, notice.record_cid) == (B, "unverified", C1)
        assert notice.sort_at == NOW

    def test_delete_says_unverified_and_removes_nothing(self) -> None:
        tables = tables_after(self.seen, delete(VERIFICATION, REVS[2]))
        assert tables.told == [(B, "verified", None), (B, "unverified", None)]
        assert tables.world.retracted == set()

    def test_update_and_delete_say_it_twice(self) -> None:
        tables = tables_after(
            self.seen,
            update(VERIFICATION, verification(B), REVS[2], C2),
            delete(VERIFICATION, REVS[3]),
            notifications="updates",
        )
        assert [(reason, notice.record_cid) for notice in tables.notices for reason in [notice.reason]] == [
            ("unverified", C1),
            ("unverified", C2),
        ]


class TestReplies:
    """records.md 5.1, rules 4 and 5."""

    def chain(self, length: int, *, by_update: bool = True) -> list[bytes]:
        """p0 of A, and replies of ever new people, each to the one before; the last by an update."""
        messages = [create(post_uri(A, "p0"), post(), REVS[0])]
        for n in range(1, length):
            kind = update if by_update and n == length - 1 else create
            said = post(parent=self.link(n - 1), root=self.link(0))
            messages.append(kind(self.link(n), said, REVS[n], cid(n)))
        return messages

    def link(self, n: int) -> str:
        return post_uri(self.author(n), f"p{n}")

    def author(self, n: int) -> str:
        return A if n == 0 else f"did:plc:{'abcdefghij'[n] * 24}"

    def test_parent_and_above_are_told_nearest_first(self) -> None:
        tables = tables_after(*self.chain(3), notifications="updates")
        assert tables.told == [(self.author(n), "reply", self.link(n)) for n in (1, 0)]

    def test_four_nearest_are_told_and_no_more(self) -> None:
        tables = tables_after(*self.chain(7), notifications="updates")
        assert tables.told == [(self.author(n), "reply", self.link(n)) for n in (5, 4, 3, 2)]

    def test_hidden_reply_is_told_and_ends_the_climb(self) -> None:
        gate = create(uri(A, "app.bsky.feed.threadgate", "p0"), threadgate(self.link(0), hiddenReplies=[self.link(1)]))
        messages = self.chain(3)
        tables = tables_after(*messages[:-1], gate, messages[-1], notifications="updates")
        assert tables.told == [(self.author(1), "reply", self.link(1))]

    def test_reply_that_violates_the_gate_tells_the_mentioned_only(self) -> None:
        gate = create(uri(A, "app.bsky.feed.threadgate", "p0"), threadgate(self.link(0), allow=[]))
        said = post(parent=self.link(0), facets=mention(C))
        tables = tables_after(
            create(self.link(0), post()), gate, update(post_uri(D, "r"), said), notifications="updates"
        )
        assert tables.told == [(C, "mention", None)]

    def test_person_is_told_once_with_the_first_reason(self) -> None:
        p0 = create(self.link(0), post())
        said = post(parent=self.link(0), facets=mention(A), embed=quote(self.link(0)))
        tables = tables_after(p0, update(post_uri(D, "r"), said), notifications="updates")
        assert tables.told == [(A, "mention", None)]

    def test_reply_to_oneself_tells_those_above_only(self) -> None:
        b1, b2 = post_uri(B, "1"), post_uri(B, "2")
        tables = tables_after(
            create(self.link(0), post(), REVS[0]),
            create(b1, post(parent=self.link(0)), REVS[1], cid(1)),
            update(b2, post(parent=b1, root=self.link(0)), REVS[2], cid(2)),
            notifications="updates",
        )
        assert tables.told == [(A, "reply", self.link(0))]

    def test_parent_after_its_replies_tells_nobody(self) -> None:
        first, second, third = self.chain(3, by_update=False)
        assert tables_after(second, third, update_of(first), notifications="updates").told == []

    def test_post_that_is_not_there_is_not_told(self) -> None:
        tables = tables_after(
            update(post_uri(B, "r"), post(parent=self.link(0))),
            notifications="updates",
        )
        assert tables.told == []

    def test_reply_that_came_before_its_parent_reaches_past_a_hidden_one_with_it(self) -> None:
        """p2 arrives after p3, which answers it; p1 is hidden, so p2 tells p1's author, and p3 those above."""
        messages = self.chain(4, by_update=False)
        gate = create(uri(A, "app.bsky.feed.threadgate", "p0"), threadgate(self.link(0), hiddenReplies=[self.link(1)]))
        p0, p1, p2, p3 = messages
        tables = tables_after(gate, p0, p1, p3, p2)
        about = {(notice.record_uri, notice.recipient) for notice in tables.notices}
        assert (self.link(2), self.author(1)) in about
        assert (self.link(3), self.author(0)) in about


def update_of(message: bytes) -> bytes:
    """The same message as an update."""
    return message.replace(b'"type": "create"', b'"type": "update"', 1)


def test_quote_that_violates_the_post_gate_tells_nobody() -> None:
    gate = create(uri(A, "app.bsky.feed.postgate", "p1"), postgate(P1, embeddingRules=DISABLE))
    tables = tables_after(create(P1, post()), gate, create(post_uri(B, "q"), post(embed=quote(P1))))
    assert tables.told == []


def test_many_of_one_post_are_told_in_the_order_of_the_mentions() -> None:
    people = [f"did:plc:{n:024d}" for n in range(20)]
    tables = tables_after(create(post_uri(A, "p"), post(facets=mention(*people))))
    assert [recipient for recipient, _, _ in tables.told] == people
