"""Any message may come again, any batch may be cut anywhere: the tables stay as they are (design.md, redelivery)."""

import random

import pytest

from indexer.fold.notifications import Notifications
from indexer.sink import commit
from tests.integration.writing import GENERATED, snapshot, writing, wrong_counters
from tests.messages import REVS, A, B, create, delete, post_uri, repost, repost_uri
from tests.oracle import library


@pytest.fixture(autouse=True)
def _still_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Profiles without createdAt, and `unverified`, show when they were written."""
    monkeypatch.setattr(commit, "_now", lambda: "2025-11-01T00:00:00.000Z")


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("case", "notifications"), [("real-scenarios", "live"), ("real-repos", "all"), ("mixed-5k-hostile", "all")]
)
async def test_feeding_a_stream_twice_changes_nothing(database: str, case: str, notifications: Notifications) -> None:
    payloads = library.messages(case)
    async with writing(database, notifications=notifications, stream=library.stream(case)) as sink:
        await sink.feed(payloads, 500)
        once = await snapshot(sink.pool)
        await sink.feed(payloads, 333)
        assert await snapshot(sink.pool) == once
        assert await wrong_counters(sink.pool) == []


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
async def test_batches_that_come_again_at_once_change_nothing(database: str, other_database: str, seed: int) -> None:
    """As after a crash between commit and acknowledgement: what was in hand comes again, cut elsewhere."""
    payloads = library.messages("mixed-5k-hostile")[:2500]
    messages = [(f"{place}-0", payload) for place, payload in enumerate(payloads, 1)]
    cut = random.Random(seed)
    async with writing(database) as sink:
        at = 0
        while at < len(messages):
            length = cut.randint(1, 400)
            back = cut.randint(1, at) if at and cut.random() < 0.5 else 0
            await sink.batch(messages[at : at + length])
            await sink.batch(messages[max(at - back, at - 300) : at + length // 2])
            at += length
        again = await snapshot(sink.pool, GENERATED)
        assert await wrong_counters(sink.pool) == []
    async with writing(other_database) as sink:
        await sink.feed(payloads, 100)
        assert again == await snapshot(sink.pool, GENERATED)


@pytest.mark.timeout(120)
async def test_stream_cut_anywhere_gives_the_rows_of_the_serial_fold(database: str, other_database: str) -> None:
    """Notifications and dead letters included."""
    payloads = library.messages("mixed-5k-hostile")[:500]
    cut = random.Random(7)
    sizes = [cut.randint(1, 100) for _ in range(300)]
    found = []
    for url, lengths in ((database, [1] * len(payloads)), (other_database, sizes)):
        async with writing(url) as sink:
            await sink.feed(payloads, lengths)
            found.append(await snapshot(sink.pool, GENERATED))
    serial, in_batches = found
    assert in_batches == serial


@pytest.mark.timeout(20)
async def test_stale_write_of_the_indexed_record_comes_with_the_deletion_of_its_duplicate(database: str) -> None:
    """Nothing of the batch names the record that is indexed but a message that counts for nothing."""
    first, second, third = (repost_uri(A, rkey) for rkey in ("r1", "r2", "r3"))
    subject = repost(post_uri(B, "p"))
    async with writing(database) as sink:
        await sink.feed([create(uri, subject, rev) for uri, rev in zip((first, second, third), REVS[1:], strict=False)])
        assert await sink.uris("repost") == [first]
        await sink.feed([delete(second, REVS[4]), create(first, subject, REVS[0])])
        assert await sink.uris("repost") == [first]
        assert await sink.uris("duplicate_record") == [third]
