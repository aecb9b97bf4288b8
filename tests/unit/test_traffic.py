"""The generator of made-up messages: sound where it says so, broken exactly as it says, and like the network."""

import time
from collections import Counter
from itertools import groupby, islice
from random import Random
from typing import Any, Literal

import orjson
import pytest

from indexer import _native
from indexer.demo import hostile, identifiers
from indexer.demo.memory import Pool, Recent, zipf
from indexer.demo.traffic import Message, Traffic

MESSAGES = 10_000
LIKE, POST, REPOST = "app.bsky.feed.like", "app.bsky.feed.post", "app.bsky.feed.repost"
FOLLOW, ITEM = "app.bsky.graph.follow", "app.bsky.graph.listitem"
GATES = ("app.bsky.feed.threadgate", "app.bsky.feed.postgate")


def some(count: int = MESSAGES, **parameters: Any) -> list[Message]:
    return list(islice(Traffic(**parameters).messages(), count))


def events(form: Literal["live", "backfill"]) -> list[dict[str, Any]]:
    return [orjson.loads(message.payload) for message in some(form=form)]


def decoded(messages: list[Message]) -> list[_native.Event | _native.Reject | _native.Ignored]:
    return _native.decode_events([message.payload for message in messages], [time.time_ns() // 10**6] * len(messages))


def uri(event: dict[str, Any]) -> str:
    return f"at://{event['did']}/{event['collection']}/{event['rkey']}"


@pytest.fixture(scope="module")
def live() -> list[dict[str, Any]]:
    return events("live")


@pytest.fixture(scope="module")
def backfill() -> list[dict[str, Any]]:
    return events("backfill")


def created(found: list[dict[str, Any]], collection: str) -> list[dict[str, Any]]:
    return [event for event in found if event["type"] == "create" and event["collection"] == collection]


def test_same_parameters_give_the_same_messages_and_another_seed_gives_others() -> None:
    assert some(500, seed=3, hostile=0.1) == some(500, seed=3, hostile=0.1)
    assert not {message.payload for message in some(500, seed=3)} & {message.payload for message in some(500, seed=4)}


@pytest.mark.parametrize("form", ["live", "backfill"])
def test_every_message_that_is_not_hostile_is_sound(form: Literal["live", "backfill"]) -> None:
    refused = [result for result in decoded(some(form=form)) if not isinstance(result, _native.Event)]
    assert refused == []


@pytest.mark.parametrize("kind", hostile.KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("form", ["live", "backfill"])
def test_hostile_messages_have_the_fate_of_their_kind(kind: hostile.Kind, form: Literal["live", "backfill"]) -> None:
    # These two are seen later: by comparing with other rows, and by PostgreSQL.
    late = kind.fate in ("ignored not_its_own", "dead db")
    expected = "stored" if late else kind.fate
    sound = [message.payload for message in some(500, form=form)]
    post = next(payload for payload in sound if b'"collection":"app.bsky.feed.post"' in payload and b"langs" in payload)
    made = [Message(kind.make(Random(seed), orjson.loads(post))) for seed in range(20)]
    for result in decoded(made):
        match result:
            case _native.Event():
                assert expected == "stored"
            case _native.Reject():
                assert expected == f"dead {result.reason}"
            case _native.Ignored():
                assert expected == f"ignored {result.reason}"


def test_share_of_hostile_messages_is_as_asked_and_every_kind_comes() -> None:
    kinds = Counter(message.hostile for message in some(hostile=0.2))
    assert 0.18 < 1 - kinds[None] / MESSAGES < 0.22
    assert set(kinds) - {None} == {kind.name for kind in hostile.KINDS}
    assert {message.hostile for message in some(500)} == {None}


def test_hostile_messages_of_the_stream_are_broken_by_nothing_but_their_kind() -> None:
    fates = {kind.name: kind.fate for kind in hostile.KINDS}
    messages = [message for message in some(2_000, hostile=0.5) if message.hostile]
    for message, result in zip(messages, decoded(messages), strict=True):
        if isinstance(result, _native.Reject):
            assert fates[str(message.hostile)] == f"dead {result.reason}", result.detail


def test_proportions_are_those_of_the_network(live: list[dict[str, Any]]) -> None:
    count = Counter((event["type"], event.get("collection")) for event in live)
    types = Counter(event["type"] for event in live)
    for collection, percent in ((LIKE, 50), (POST, 20), (REPOST, 10), (FOLLOW, 12)):
        assert percent * 0.85 < count["create", collection] / len(live) * 100 < percent * 1.15, collection
    assert 0.03 < types["delete"] / len(live) < 0.05
    assert 0.005 < types["update"] / len(live) < 0.02
    assert types["identity"] > 0
    assert types["account"] > 0
    assert {event["collection"] for event in live if "collection" in event} >= set(_native.COLLECTIONS) - {
        "app.bsky.feed.generator",  # a few in ten thousand, some may be missing
        "app.bsky.graph.starterpack",
        "app.bsky.graph.verification",
        "app.bsky.labeler.service",
        "app.bsky.actor.status",
        "app.bsky.notification.declaration",
        "chat.bsky.actor.declaration",
    }


def test_posts_have_everything_that_posts_have(live: list[dict[str, Any]]) -> None:
    posts = [event["record"] for event in created(live, POST)]
    embeds = Counter(post["embed"]["$type"].rpartition(".")[2] for post in posts if "embed" in post)
    assert set(embeds) == {"images", "external", "video", "record", "recordWithMedia"}
    assert 0.3 < sum("reply" in post for post in posts) / len(posts) < 0.5
    assert {feature["$type"].partition("#")[2] for post in posts for facet in post.get("facets", ())
            for feature in facet["features"]} == {"mention", "link", "tag"}  # fmt: skip
    assert len({tuple(post.get("langs", ())) for post in posts}) > 5


def test_few_posts_and_accounts_get_most_of_the_attention(live: list[dict[str, Any]]) -> None:
    liked = Counter(event["record"]["subject"]["uri"] for event in created(live, LIKE)).most_common()
    followed = Counter(event["record"]["subject"] for event in created(live, FOLLOW)).most_common()
    for counts in (liked, followed):
        tenth = sum(count for _, count in counts[: len(counts) // 10])
        assert tenth > 0.3 * sum(count for _, count in counts)
        assert counts[0][1] > 50 * counts[len(counts) // 2][1]


def test_revs_rise_and_operations_of_a_commit_share_what_a_commit_has(live: list[dict[str, Any]]) -> None:
    last: dict[str, str] = {}
    several = 0
    commits = groupby((event for event in live if "rev" in event), key=lambda event: event["rev"])
    for rev, grouped in commits:
        operations = list(grouped)
        (shared,) = {(event["did"], event["seq"], event["time"], event["commit"]) for event in operations}
        assert last.get(shared[0], "") < rev
        assert all(rev > event["rkey"] for event in operations if event["collection"] == POST)
        last[shared[0]] = rev
        several += len(operations) > 1
    assert several > 10
    assert [event["seq"] for event in live] == sorted(event["seq"] for event in live)


def test_records_are_created_once_and_only_what_was_there_is_deleted(live: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for event in live:
        if event["type"] == "create":
            assert uri(event) not in seen
            seen.add(uri(event))
        elif event["type"] == "delete":
            assert uri(event) in seen


def test_answers_refer_to_an_earlier_post_and_share_its_root(live: list[dict[str, Any]]) -> None:
    roots: dict[str, dict[str, str]] = {}
    for event in created(live, POST):
        own = {"uri": uri(event), "cid": event["cid"]}
        if reply := event["record"].get("reply"):
            assert roots[reply["parent"]["uri"]] == reply["root"]
        roots[own["uri"]] = reply["root"] if reply else own


@pytest.mark.parametrize("form", ["live", "backfill"])
def test_gates_and_list_items_are_of_their_own_posts_and_lists(
    form: Literal["live", "backfill"], request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue(form)
    gates = [event for collection in GATES for event in created(found, collection)]
    assert gates
    assert all(event["record"]["post"] == f"at://{event['did']}/{POST}/{event['rkey']}" for event in gates)
    items = created(found, ITEM)
    assert items
    assert all(event["record"]["list"].startswith(f"at://{event['did']}/") for event in items)


def test_identifiers_are_well_formed_and_of_nobody(live: list[dict[str, Any]]) -> None:
    for event in live:
        assert event["did"].startswith(identifiers.MADE_UP)
        assert _native.is_valid("did", event["did"])
        assert len(event["did"]) == 32
        if "rev" in event:
            assert _native.is_valid("tid", event["rev"])
            assert _native.is_valid("cid", event["commit"])


def test_cids_are_base_32_of_whole_bytes() -> None:
    """CIDs that a decoder writes again come out as they were."""
    random = Random(1)
    made = [identifiers.record_cid(random) for _ in range(100)]
    payloads = [
        Message(orjson.dumps({"type": "repo", "did": "did:plc:a", "rev": "3mptd7tbueur7", "commit": cid, "time": "x"}))
        for cid in made
    ]
    assert [getattr(result, "commit", None) for result in decoded(payloads)] == made
    assert identifiers.blob_cid(random).startswith("bafkrei")


def test_backfill_is_repositories_one_after_the_other(backfill: list[dict[str, Any]]) -> None:
    whole = [list(found) for _, found in groupby(backfill, key=lambda event: event["did"])][:-1]
    assert len({found[0]["did"] for found in whole}) == len(whole) > 20
    for *records, last in whole:
        assert last["type"] == "repo"
        assert "seq" not in last
        assert {event["seq"] for event in records} == {-2}
        assert {event["type"] for event in records} == {"create"}
        assert len({uri(event) for event in records}) == len(records)
        assert {(event["time"], event["rev"], event["commit"]) for event in records} == {
            (last["time"], last["rev"], last["commit"])
        }
        keys = [(event["collection"], event["rkey"]) for event in records]
        assert keys == sorted(keys)
        chosen = [event["record"]["subject"]["uri"] for event in records if event["collection"] == LIKE]
        assert len(set(chosen)) == len(chosen)


def test_backfilled_accounts_are_not_those_of_the_live_form(
    live: list[dict[str, Any]], backfill: list[dict[str, Any]]
) -> None:
    assert not {event["did"] for event in live} & {event["did"] for event in backfill}


def test_memory_of_what_was_written_is_bounded() -> None:
    random = Random(1)
    recent: Recent[int] = Recent(10)
    pool: Pool[int] = Pool(10)
    for number in range(1_000):
        recent.add(number)
        pool.add(number, random)
    assert {recent.draw(random) for _ in range(1_000)} == set(range(990, 1_000))
    assert len({pool.take(random) for _ in range(len(pool))}) == 10
    assert len(pool) == 0


def test_zipf_draws_every_rank_and_the_first_most() -> None:
    random = Random(1)
    ranks = Counter(zipf(random, 100) for _ in range(20_000))
    assert set(ranks) == set(range(100))
    assert ranks[0] > ranks[1] > ranks[9] > ranks[99]
