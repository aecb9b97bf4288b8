"""Thread gates, post gates and the roots of replies (vectors.md 5, records.md 6; DIV-12)."""

import itertools
from typing import Any

import pytest

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
    follow,
    listitem,
    mention,
    post,
    post_uri,
    postgate,
    quote,
    record,
    threadgate,
    update,
    uri,
)
from tests.unit.folding import tables_after

ROOT = post_uri(A, "root")
GATE = uri(A, "app.bsky.feed.threadgate", "root")
LIST = uri(A, "app.bsky.graph.list", "l1")
AROUND = [
    create(uri(D, "app.bsky.graph.follow", "f"), follow(A), cid=cid("f1")),
    create(uri(A, "app.bsky.graph.follow", "f"), follow(B), cid=cid("f2")),
    create(uri(A, "app.bsky.graph.listitem", "i"), listitem(LIST, B), cid=cid("i")),
    create(ROOT, post(facets=mention(C)), cid=cid("root")),
]
"""The root mentions C; D follows A; A follows B; B is on the list."""
RULES: dict[str, tuple[list[Any] | None, str, int]] = {
    # allow, then of B, C, D and A: x where the reply violates the gate, then replyCount
    "absent": (None, "----", 4),
    "empty": ([], "xxx-", 1),
    "mention": ([{"$type": "app.bsky.feed.threadgate#mentionRule"}], "x-x-", 2),
    "follower": ([{"$type": "app.bsky.feed.threadgate#followerRule"}], "xx--", 2),
    "following": ([{"$type": "app.bsky.feed.threadgate#followingRule"}], "-xx-", 2),
    "list": ([{"$type": "app.bsky.feed.threadgate#listRule", "list": LIST}], "-xx-", 2),
    "unknown": ([{"$type": "com.example.rule"}], "xxx-", 1),
}


def reply(did: str, parent: str = ROOT, root: str | None = None, rkey: str = "r", **fields: Any) -> bytes:
    return create(post_uri(did, rkey), post(parent=parent, root=root), **{"cid": cid(did + rkey), **fields})


@pytest.mark.parametrize("rule", RULES)
def test_thread_gate_lets_in_whom_it_allows(rule: str) -> None:
    allow, verdicts, replies = RULES[rule]
    gate = create(GATE, threadgate(ROOT, allow=allow), cid=cid("gate"))
    tables = tables_after(*AROUND, gate, *(reply(did) for did in (B, C, D, A)))
    flags = {
        row["creator"]: (row["violatesThreadGate"], row["invalidReplyRoot"])
        for row in tables["post"]
        if row["uri"] != ROOT
    }
    # where one of the two is true both are stored, else neither
    assert flags == {
        did: (True, False) if mark == "x" else (None, None) for did, mark in zip((B, C, D, A), verdicts, strict=True)
    }
    assert tables.count("post_agg", "replyCount", ROOT) == replies


def test_rules_are_judged_as_things_stand_at_the_reply() -> None:
    gate = create(GATE, threadgate(ROOT, allow=RULES["follower"][0]), cid=cid("gate"))
    followed = create(uri(B, "app.bsky.graph.follow", "f"), follow(A), REVS[3], cid("fb"))
    gone = delete(uri(B, "app.bsky.graph.follow", "f"), REVS[4])
    tables = tables_after(
        *AROUND,
        gate,
        reply(B, rkey="1", rev=REVS[2]),
        followed,
        reply(B, rkey="2", rev=REVS[3]),
        gone,
        reply(B, rkey="3", rev=REVS[5]),
    )
    flags = {row["uri"][-1]: row["violatesThreadGate"] for row in tables["post"]}
    assert flags["1"], flags["3"]
    assert flags["2"] is None


def test_reply_before_the_gate_is_no_violation_and_after_its_deletion_neither() -> None:
    gate = create(GATE, threadgate(ROOT, allow=[]), REVS[1], cid("gate"))
    before, during, after = (reply(B, rkey=str(n)) for n in range(3))
    tables = tables_after(*AROUND, before, gate, during, delete(GATE, REVS[2]), after)
    flags = {row["uri"][-1]: row["violatesThreadGate"] for row in tables["post"]}
    assert (flags["0"], flags["1"], flags["2"]) == (None, True, None)


def test_updated_gate_judges_by_its_new_rules() -> None:
    gate = create(GATE, threadgate(ROOT, allow=[]), REVS[1], cid("gate"))
    opened = update(GATE, threadgate(ROOT), REVS[2], cid("opened"))
    tables = tables_after(*AROUND, gate, opened, reply(B))
    assert [row["violatesThreadGate"] for row in tables["post"] if row["creator"] == B] == [None]


def test_gate_judges_replies_anywhere_in_the_thread_by_its_root() -> None:
    gate = create(GATE, threadgate(ROOT, allow=[]), cid=cid("gate"))
    tables = tables_after(*AROUND, reply(A), gate, reply(B, parent=post_uri(A, "r"), root=ROOT))
    assert [row["violatesThreadGate"] for row in tables["post"] if row["creator"] == B] == [True]


def test_only_posts_have_a_thread_gate() -> None:
    gate = create(GATE, threadgate(ROOT, allow=[]), cid=cid("gate"))
    listed = uri(A, "app.bsky.graph.list", "root")
    tables = tables_after(gate, reply(B, parent=listed))
    (row,) = tables["post"]
    assert (row["violatesThreadGate"], row["invalidReplyRoot"]) == (False, True)


def test_uri_with_a_fragment_names_no_gate() -> None:
    """Only the collection is replaced in it (records.md 6.2, 6.3)."""
    part = f"{ROOT}#/text"
    gates = (
        create(GATE, threadgate(ROOT, allow=[]), cid=cid("gate")),
        create(uri(A, "app.bsky.feed.postgate", "root"), postgate(ROOT, embeddingRules=DISABLE), cid=cid("g")),
    )
    tables = tables_after(*gates, create(post_uri(B, "r"), post(parent=part, embed=quote(part)), cid=cid("r")))
    (row,) = tables["post"]
    assert (row["violatesThreadGate"], row["violatesEmbeddingRules"]) == (False, None)


class TestGatesOwners:
    """records.md 5.10: a gate has the authority and the record key of its post."""

    @pytest.mark.parametrize(("collection", "table"), [("threadgate", "thread_gate"), ("postgate", "post_gate")])
    @pytest.mark.parametrize(
        ("post", "belongs"),
        [
            (post_uri(A, "root"), True),
            (uri(A, "com.example.anything", "root"), True),  # its collection is not looked at
            (post_uri(A, "other"), False),
            (post_uri(B, "root"), False),
            ("at://a.test/app.bsky.feed.post/root", False),
        ],
    )
    def test_gate_of_another_post_is_not_its_own(self, collection: str, table: str, post: str, belongs: bool) -> None:
        gate = uri(A, f"app.bsky.feed.{collection}", "root")
        tables = tables_after(create(gate, record(f"app.bsky.feed.{collection}", post=post)))
        assert tables.folded.fates == ["indexed" if belongs else "not_its_own"]
        assert tables.uris(table) == ([gate] if belongs else [])
        assert tables.uris("record") == ([gate] if belongs else [])

    def test_update_that_is_not_its_own_leaves_the_gate_as_it_was(self) -> None:
        tables = tables_after(
            create(GATE, threadgate(ROOT), REVS[1], cid("1")),
            update(GATE, threadgate(post_uri(A, "other")), REVS[2], cid("2")),
        )
        assert tables.folded.fates == ["indexed", "not_its_own"]
        assert tables["thread_gate"][0]["postUri"] == ROOT
        assert tables["record"][0]["rev"] == REVS[1]

    def test_stale_write_is_not_asked_whose_it_is(self) -> None:
        tables = tables_after(
            create(GATE, threadgate(ROOT), REVS[2], cid("1")),
            update(GATE, threadgate(post_uri(A, "other")), REVS[1], cid("2")),
        )
        assert tables.folded.fates == ["indexed", "stale"]


class TestRoots:
    """invalidReplyRoot (records.md 6.1)."""

    def flags(self, *messages: bytes) -> dict[str, tuple[bool | None, bool | None]]:
        rows = tables_after(*messages)["post"]
        return {row["uri"]: (row["invalidReplyRoot"], row["violatesThreadGate"]) for row in rows}

    def test_reply_to_a_known_root_has_no_flags(self) -> None:
        assert self.flags(*AROUND, reply(B))[post_uri(B, "r")] == (None, None)

    def test_reply_to_an_unknown_parent_is_invalid_and_what_answers_it_too(self) -> None:
        flags = self.flags(reply(B), reply(C, parent=post_uri(B, "r"), root=ROOT))
        assert flags == {post_uri(B, "r"): (True, False), post_uri(C, "r"): (True, False)}

    def test_reply_that_names_another_reply_as_root_is_invalid(self) -> None:
        flags = self.flags(*AROUND, reply(B), reply(C, parent=post_uri(B, "r")))
        assert flags[post_uri(C, "r")] == (True, False)

    def test_reply_with_another_root_than_its_parents_is_invalid(self) -> None:
        other = create(post_uri(A, "other"), post(), cid=cid("other"))
        flags = self.flags(*AROUND, other, reply(B), reply(C, parent=post_uri(B, "r"), root=post_uri(A, "other")))
        assert flags[post_uri(C, "r")] == (True, False)

    def test_reply_under_an_invalid_parent_is_invalid(self) -> None:
        flags = self.flags(
            *AROUND, reply(B), reply(C, parent=post_uri(B, "r")), reply(D, parent=post_uri(C, "r"), root=ROOT)
        )
        assert flags[post_uri(D, "r")] == (True, False)

    def test_post_that_answers_itself_is_invalid(self) -> None:
        assert self.flags(reply(B, parent=post_uri(B, "r"))) == {post_uri(B, "r"): (True, False)}

    @pytest.mark.parametrize("collection", ["app.bsky.graph.list", "app.bsky.feed.generator"])
    def test_record_of_another_type_can_be_parent_and_root(self, collection: str) -> None:
        parents = {
            "app.bsky.graph.list": record(collection, name="l", purpose="app.bsky.graph.defs#curatelist"),
            "app.bsky.feed.generator": record(collection, did=A, displayName="g", avatar=blob("g")),
        }
        parent = uri(A, collection, "x")
        flags = self.flags(create(parent, parents[collection]), reply(B, parent=parent))
        assert flags[post_uri(B, "r")] == (None, None)

    @pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
    def test_div_12_thread_in_any_order_is_valid_in_the_end(self, order: tuple[int, ...]) -> None:
        thread = [
            create(ROOT, post(), cid=cid("root")),
            reply(B),
            reply(C, parent=post_uri(B, "r"), root=ROOT),
            reply(D, parent=post_uri(C, "r"), root=ROOT),
        ]
        flags = self.flags(*(thread[n] for n in order))
        assert {invalid or False for invalid, _ in flags.values()} == {False}

    @pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
    def test_div_12_wrong_root_stays_invalid_in_any_order(self, order: tuple[int, ...]) -> None:
        thread = [create(ROOT, post(), cid=cid("root")), reply(B), reply(C, parent=post_uri(B, "r"))]
        flags = self.flags(*(thread[n] for n in order))
        assert flags[post_uri(B, "r")][0] in (None, False)
        assert flags[post_uri(C, "r")][0] is True

    def test_div_12_parent_of_another_type_that_comes_late_counts_too(self) -> None:
        parent = uri(A, "app.bsky.graph.list", "x")
        late = create(parent, record("app.bsky.graph.list", name="l", purpose="app.bsky.graph.defs#curatelist"))
        flags = self.flags(reply(B, parent=parent), reply(C, parent=post_uri(B, "r"), root=parent), late)
        assert {invalid or False for invalid, _ in flags.values()} == {False}

    def test_div_12_deleted_parent_leaves_what_was_judged(self) -> None:
        flags = self.flags(
            create(ROOT, post(), REVS[1], cid("root")), reply(B), delete(ROOT, REVS[2]), reply(C, rkey="late")
        )
        assert flags == {post_uri(B, "r"): (None, None), post_uri(C, "late"): (True, False)}

    def test_div_12_reply_that_becomes_valid_keeps_its_violation(self) -> None:
        gate = create(GATE, threadgate(ROOT, allow=[]), cid=cid("gate"))
        flags = self.flags(gate, reply(B), create(ROOT, post(), cid=cid("root")))
        assert flags[post_uri(B, "r")] == (False, True)


class TestPostGates:
    """violatesEmbeddingRules (records.md 6.3)."""

    gate = create(uri(A, "app.bsky.feed.postgate", "root"), postgate(ROOT, embeddingRules=DISABLE), cid=cid("g"))

    def test_quote_under_a_disable_rule_violates_unless_by_the_author(self) -> None:
        quotes = (create(post_uri(did, "q"), post(embed=quote(ROOT)), cid=cid(did)) for did in (A, B))
        tables = tables_after(create(ROOT, post(), cid=cid("root")), self.gate, *quotes)
        flags = {row["uri"]: row["violatesEmbeddingRules"] for row in tables["post"]}
        assert flags == {ROOT: None, post_uri(A, "q"): None, post_uri(B, "q"): True}
        assert tables.uris("quote") == [post_uri(A, "q"), post_uri(B, "q")], "it counts all the same"
        assert tables.count("post_agg", "quoteCount", ROOT) == 2

    @pytest.mark.parametrize(
        "rules",
        [
            {},
            {"embeddingRules": []},
            {"embeddingRules": [{"$type": "com.example.rule"}]},
            {"detachedEmbeddingUris": [post_uri(B, "q")]},
        ],
    )
    def test_other_gates_forbid_nothing(self, rules: dict[str, Any]) -> None:
        gate = create(uri(A, "app.bsky.feed.postgate", "root"), postgate(ROOT, **rules), cid=cid("g"))
        tables = tables_after(gate, create(post_uri(B, "q"), post(embed=quote(ROOT)), cid=cid("q")))
        assert tables["post"][0]["violatesEmbeddingRules"] is None

    def test_quote_before_the_gate_and_after_its_deletion_is_no_violation(self) -> None:
        before, during, after = (create(post_uri(B, str(n)), post(embed=quote(ROOT)), cid=cid(n)) for n in range(3))
        gone = delete(uri(A, "app.bsky.feed.postgate", "root"), REVS[5])
        tables = tables_after(before, self.gate, during, gone, after)
        flags = {row["uri"][-1]: row["violatesEmbeddingRules"] for row in tables["post"]}
        assert flags == {"0": None, "1": True, "2": None}
