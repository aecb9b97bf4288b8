"""What goes with a deleted account, and what stays (actors.md 4, design.md: deleted accounts)."""

import pytest

from indexer.metrics import WRITTEN_TABLES
from indexer.sink.counts import Aggregates
from tests.integration.invariants import broken
from tests.integration.removing import (
    as_if_never,
    confirm,
    job,
    left_of_account,
    of_account,
    of_others,
    removing,
    rows_of_appview,
)
from tests.integration.writing import writing, wrong_counters
from tests.messages import A


@pytest.mark.parametrize("aggregates", ["delta", "recount"])
async def test_everything_of_the_account_goes_and_what_others_have_is_right(
    database: str, other_database: str, aggregates: Aggregates
) -> None:
    async with writing(database, notifications="all") as sink, writing(other_database, notifications="all") as never:
        await sink.feed([*of_others(5), *of_account(5)])
        await never.feed(of_others(5))
        await sink.pool.execute("INSERT INTO actor (did, \"indexedAt\") VALUES ($1, '2025-10-20T09:00:00.000Z')", A)
        await sink.pool.execute("INSERT INTO indexer.handle_lookup VALUES ($1, '2025-10-20T09:00:00.000Z', '')", A)
        before = await left_of_account(sink.pool)
        assert before.keys() == set(WRITTEN_TABLES) - {"label", "post_agg", "profile_agg"}
        rows = await rows_of_appview(sink.pool)
        await confirm(sink.pool)
        async with removing(database, aggregates=aggregates) as worker:
            assert await worker.remove_one()
            assert not await worker.remove_one()
        assert await left_of_account(sink.pool) == {}
        assert not await sink.fetch("SELECT * FROM indexer.handle_lookup")
        if aggregates == "delta":
            assert await wrong_counters(sink.pool) == []
            assert (await job(sink.pool))["removed_rows"] == rows - await rows_of_appview(sink.pool)
            # a reply stays valid when its parent goes (DIV-12)
            assert (await broken(sink.pool)).keys() <= {"invalidReplyRoot"}
            assert await as_if_never(sink.pool) == await as_if_never(never.pool)
        assert (await job(sink.pool))["state"] == "removed"
