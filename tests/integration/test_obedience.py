"""What is asked of an instance is heard with the renewal of its lease, and answered with it."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from indexer.commands.control import wishes
from indexer.connections.database import Pool, open_pool
from indexer.daemon import lease
from indexer.daemon import obedience as obeying
from indexer.daemon.lease import Lease
from indexer.daemon.obedience import Obedience
from indexer.errors import ConfigError
from indexer.lane.intake import Intake


@pytest.fixture
async def pool(database: str) -> AsyncIterator["Pool"]:
    pool = await open_pool(database, "one", 1, 2, None)
    yield pool
    await pool.close()


class One:
    """An instance with one lane."""

    def __init__(self, pool: "Pool", rate: int | None = None) -> None:
        self.intake = Intake(rate)
        self.share = self.intake.share()
        self.lane: Any = SimpleNamespace(in_hand=0, halted=None)
        self.obedience = Obedience("one", self.intake, rate, [self.lane])
        self.lease = Lease(pool, "one", self.obedience)

    async def renewed(self) -> wishes.Instance:
        """What stands in the database after two renewals: one to hear, one to answer."""
        assert await self.lease.renew()
        assert await self.lease.renew()
        connection: Any = self.lease._pool
        (found,) = await wishes.instances(connection)
        return found


async def test_pause_is_answered_when_no_read_is_under_way_and_nothing_is_in_hand(pool: "Pool") -> None:
    one = One(pool)
    await one.lease.take()
    assert await one.share.ask(5, asyncio.Event()) == 5
    number = await wishes.ask_to_rest(pool, "one", paused=True)
    found = await one.renewed()
    assert (found.state, found.heard) == ("pausing", 0), "a read from before is under way"
    one.lane.in_hand = 5
    one.share.took(5)
    found = await one.renewed()
    assert (found.state, found.heard) == ("pausing", number)
    one.lane.in_hand = 0
    assert (await one.renewed()).state == "paused"
    number = await wishes.ask_to_rest(pool, "one", paused=False)
    found = await one.renewed()
    assert (found.state, found.heard) == ("working", number)


async def test_halted_lane_does_not_keep_others_from_resting(pool: "Pool") -> None:
    one = One(pool)
    await one.lease.take()
    one.lane.in_hand, one.lane.halted = 5, "42703"
    await wishes.ask_to_rest(pool, "one", paused=True)
    assert (await one.renewed()).state == "paused"


async def test_rate_is_what_was_asked_else_that_of_the_start(pool: "Pool") -> None:
    one = One(pool, rate=500)
    await one.lease.take()
    assert (await one.renewed()).rate_now == 500
    for asked, rate in ((20, 20), (0, None), (None, 500)):
        number = await wishes.ask_rate(pool, "one", asked)
        found = await one.renewed()
        assert (found.rate_now, found.heard) == (rate, number)
        assert one.intake.rate == rate


async def test_time_of_a_pause_is_that_of_its_beginning(pool: "Pool") -> None:
    one = One(pool)
    await one.lease.take()
    await wishes.ask_to_rest(pool, "one", paused=True)
    began = (await one.renewed()).asked_at
    await wishes.ask_to_rest(pool, "one", paused=True)
    await wishes.ask_rate(pool, "one", 20)
    found = await one.renewed()
    assert (found.state, found.rate_now, found.asked_at) == ("paused", 20, began)
    await wishes.ask_to_rest(pool, "one", paused=False)
    assert (await one.renewed()).asked_at != began


async def test_next_instance_under_the_name_hears_it_before_it_begins(pool: "Pool") -> None:
    one = One(pool)
    await one.lease.take()
    await wishes.ask_to_rest(pool, "one", paused=True)
    await one.renewed()
    await one.lease.release()
    (asleep,) = await wishes.instances(pool)
    assert (asleep.lives, asleep.paused, asleep.state) == (False, True, None)
    heir = One(pool)
    await heir.lease.take()
    assert (await wishes.instances(pool))[0].state is None, "the answer of the one before is not its own"
    await heir.lease.renew()
    assert heir.intake.is_paused
    with pytest.raises(ConfigError, match="the consumer one is paused"):
        heir.obedience.refuse_pause()


async def test_row_without_a_wish_goes_with_the_instance(pool: "Pool") -> None:
    one = One(pool)
    await one.lease.take()
    await one.renewed()
    await one.lease.release()
    assert await pool.fetchval("SELECT count(*) FROM indexer.control") == 0


async def test_without_the_table_or_the_right_the_lease_is_kept(pool: "Pool", monkeypatch: pytest.MonkeyPatch) -> None:
    one = One(pool)
    await one.lease.take()
    await wishes.ask_to_rest(pool, "one", paused=True)
    await one.renewed()
    await pool.execute("ALTER TABLE indexer.control RENAME TO away")
    await pool.execute("UPDATE indexer.lease SET expires_at = now() + interval '1 second'")
    assert await one.lease.renew()
    assert await pool.fetchval("SELECT expires_at > now() + interval '5 seconds' FROM indexer.lease")
    assert one.intake.is_paused, "what was asked before stays as it is"
    await pool.execute("ALTER TABLE indexer.away RENAME TO control")
    await pool.execute("UPDATE indexer.control SET paused = false, wish = wish + 1")
    await one.renewed()
    assert one.intake.is_paused, "it is not asked for again at once"
    monkeypatch.setattr(obeying, "ABSENT_AGAIN_S", 0)
    one.obedience.absent(ValueError())
    await one.renewed()
    assert not one.intake.is_paused


async def test_name_that_went_to_another_is_not_answered_for(pool: "Pool") -> None:
    one, other = One(pool), One(pool)
    await one.lease.take()
    await pool.execute("UPDATE indexer.lease SET expires_at = now() - interval '1 second'")
    await other.lease.take()
    await other.renewed()
    one.intake.pause(paused=True)
    assert not await one.lease.renew()
    (found,) = await wishes.instances(pool)
    assert found.state == "working"


async def test_answer_does_not_wait_for_the_next_renewal(pool: "Pool", monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "RENEWAL_S", 0.1)
    one = One(pool)
    await one.lease.take()
    keeping = asyncio.create_task(one.lease.keep())
    while not (await wishes.instances(pool))[0].state:
        await asyncio.sleep(0.02)
    one.lane.in_hand = 3
    await wishes.ask_to_rest(pool, "one", paused=True)
    while (await wishes.instances(pool))[0].state != "pausing":
        await asyncio.sleep(0.02)
    monkeypatch.setattr(lease, "RENEWAL_S", 1000)
    await asyncio.sleep(0.2)  # it waits for the next renewal now
    one.lane.in_hand = 0
    while (await wishes.instances(pool))[0].state != "paused":
        await asyncio.sleep(0.02)
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
