"""Which version of a record counts (vectors.md 3, records.md 2.2 to 2.4; DIV-10, DIV-17), and commit tracking."""

import itertools

import pytest

from tests.messages import (
    C0,
    C1,
    C2,
    C3,
    REVS,
    TIME,
    A,
    B,
    cid,
    create,
    delete,
    follow,
    like,
    like_uri,
    listitem,
    message,
    post,
    post_uri,
    record,
    update,
    uri,
)
from tests.unit.folding import tables_after

P = post_uri(A, "p")
PROFILE = uri(A, "app.bsky.actor.profile", "self")
LOW, HIGH = sorted((C1, C2))
OLD, NEW = "2025-10-20T10:00:00Z", "2025-10-20T11:00:00Z"


def profile(name: str) -> dict[str, object]:
    return record("app.bsky.actor.profile", displayName=name)


def test_tombstone_stays_when_an_older_create_comes_again() -> None:
    link = like_uri(B, "l")
    tables = tables_after(create(link, like(P), REVS[1]), delete(link, REVS[9]), create(link, like(P), REVS[1]))
    assert tables["like"] == []
    (row,) = tables["record"]
    assert (row["rev"], row["cid"], row["json"]) == (REVS[9], "", "")


def test_delete_keeps_the_time_of_the_version_that_went() -> None:
    tables = tables_after(create(P, post(), REVS[1], time=OLD), delete(P, REVS[2], time=NEW))
    assert tables["record"][0]["indexedAt"] == OLD


def test_delete_obeys_the_rev_rule() -> None:
    tables = tables_after(create(P, post("a"), REVS[5]), delete(P, REVS[4]))
    assert tables.uris("post") == [P]


@pytest.mark.parametrize("kind", [create, update])
def test_older_write_changes_nothing(kind: type) -> None:
    tables = tables_after(create(P, post("new"), REVS[5], C1), kind(P, post("old"), REVS[4], C2))
    assert tables["post"][0]["text"] == "new"
    assert (tables["record"][0]["rev"], tables["record"][0]["cid"]) == (REVS[5], C1)


def test_redelivered_create_changes_nothing_but_the_time_which_never_goes_back() -> None:
    for times in ((OLD, NEW), (NEW, OLD)):
        tables = tables_after(*(create(P, post("a"), REVS[1], C1, time=time) for time in times))
        assert tables["record"][0]["indexedAt"] == NEW
        assert tables["post"][0]["indexedAt"] == times[0]


def test_div_10_delete_before_the_create_wins() -> None:
    tables = tables_after(delete(P, REVS[5]), create(P, post(), REVS[4]))
    assert tables["post"] == tables["feed_item"] == []
    (row,) = tables["record"]
    assert (row["rev"], row["cid"], row["json"], row["indexedAt"]) == (REVS[5], "", "", TIME)


def test_div_10_a_newer_create_brings_the_record_back() -> None:
    tables = tables_after(delete(P, REVS[5]), create(P, post("again"), REVS[6]))
    assert tables["post"][0]["text"] == "again"


def test_div_10_is_for_known_collections_only() -> None:
    tables = tables_after(delete(uri(A, "com.example.foo", "x"), REVS[5]))
    assert tables["record"] == []
    assert tables.folded.commits == {A: (REVS[5], C0)}


def test_div_17_create_with_another_cid_acts_as_an_update() -> None:
    tables = tables_after(create(PROFILE, profile("old"), REVS[1], C1), create(PROFILE, profile("new"), REVS[2], C2))
    assert tables["profile"][0]["displayName"] == "new"
    assert tables["record"][0]["cid"] == C2


def test_div_17_create_with_the_same_cid_moves_only_the_record() -> None:
    tables = tables_after(
        create(P, post("a"), REVS[1], C1, time=OLD), create(P, post("a"), REVS[2], C1, time=NEW, seq=-2)
    )
    assert (tables["record"][0]["rev"], tables["record"][0]["indexedAt"]) == (REVS[2], NEW)
    assert tables["post"][0]["indexedAt"] == OLD


def test_div_17_update_with_the_same_cid_and_a_newer_rev_is_an_update() -> None:
    tables = tables_after(create(P, post("a"), REVS[1], C1, time=OLD), update(P, post("a"), REVS[2], C1, time=NEW))
    assert tables["post"][0]["indexedAt"] == NEW


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("kind", [create, update])
def test_div_17_of_two_writes_with_one_rev_the_greater_cid_wins(kind: type, order: int) -> None:
    writes = [create(P, post("low"), REVS[1], LOW), kind(P, post("high"), REVS[1], HIGH)]
    tables = tables_after(*(writes[::-1] if order else writes))
    assert tables["post"][0]["text"] == "high"
    assert tables["record"][0]["cid"] == HIGH


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_div_17_of_writes_with_one_rev_the_delete_wins(order: tuple[int, ...]) -> None:
    writes = [create(P, post("low"), REVS[1], LOW), create(P, post("high"), REVS[1], HIGH), delete(P, REVS[1])]
    tables = tables_after(*(writes[n] for n in order))
    assert tables["post"] == []
    assert tables["record"][0]["json"] == ""


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_any_order_of_versions_gives_the_newest(order: tuple[int, ...]) -> None:
    writes = [
        create(P, post("1"), REVS[1], C1),
        update(P, post("2"), REVS[2], C2),
        delete(P, REVS[3]),
        create(P, post("4"), REVS[4], C3),
    ]
    tables = tables_after(*(writes[n] for n in order))
    assert [row["text"] for row in tables["post"]] == ["4"]
    assert tables.uris("feed_item") == [P]
    assert tables.count("profile_agg", "postsCount", A) == 1
    assert (tables["record"][0]["rev"], tables["record"][0]["cid"]) == (REVS[4], C3)


def test_update_before_the_create_is_an_insertion() -> None:
    tables = tables_after(update(P, post("new"), REVS[2], C2), create(P, post("old"), REVS[1], C1))
    assert tables["post"][0]["text"] == "new"


def test_record_holds_the_newest_json() -> None:
    tables = tables_after(create(P, post("a"), REVS[1], C1), update(P, post("b"), REVS[2], C2))
    assert '"text":"b"' in tables["record"][0]["json"]


class TestCommits:
    """actors.md 1."""

    def test_newest_rev_counts_and_of_one_rev_the_first_commit(self) -> None:
        tables = tables_after(
            create(P, post(), REVS[5], commit=C1),
            create(like_uri(A, "l"), like(P), REVS[5], commit=C2),
            create(uri(A, "app.bsky.graph.follow", "f"), follow(B), REVS[4], commit=C3),
        )
        assert tables.folded.commits == {A: (REVS[5], C1)}

    def test_stale_write_and_unknown_collection_are_tracked_too(self) -> None:
        tables = tables_after(
            create(P, post(), REVS[5]),
            message("create", uri(A, "com.example.foo", "x"), REVS[6], record={}, cid=C1, commit=C3),
        )
        assert tables.folded.commits == {A: (REVS[6], C3)}
        assert tables.uris("record") == [P]

    @pytest.mark.parametrize("seq", [-1, -2])
    def test_backfill_tracks_by_its_repo_events_only(self, seq: int) -> None:
        backfilled = create(P, post(), REVS[5], seq=seq)
        assert tables_after(backfilled).folded.commits == {}
        repo = message("repo", uri(A, "x", "x"), REVS[5], commit=C2, seq=None, collection=None, rkey=None)
        assert tables_after(backfilled, repo, backfill=True).folded.commits == {A: (REVS[5], C2)}

    def test_without_seq_the_stream_decides(self) -> None:
        bare = create(P, post(), REVS[5], seq=None)
        assert tables_after(bare).folded.commits == {A: (REVS[5], C0)}
        assert tables_after(bare, backfill=True).folded.commits == {}

    def test_refused_list_item_is_not_tracked(self) -> None:
        foreign = listitem(uri(B, "app.bsky.graph.list", "l"), B)
        tables = tables_after(create(uri(A, "app.bsky.graph.listitem", "i"), foreign, REVS[5]))
        assert tables.folded.fates == ["not_its_own"]
        assert tables.folded.commits == {}
        assert tables["record"] == tables["list_item"] == []


def test_each_event_has_a_fate_in_order() -> None:
    foreign = listitem(uri(B, "app.bsky.graph.list", "l"), B)
    tables = tables_after(
        create(P, post()),
        create(uri(A, "app.bsky.graph.listitem", "i"), foreign),
        create(like_uri(A, "l"), like(P), cid=cid("l")),
    )
    assert tables.folded.fates == ["indexed", "not_its_own", "indexed"]
