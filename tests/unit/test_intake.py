"""What lanes may read, all together: rates by a clock of the test's own, numbers of messages, pauses."""

import asyncio

import pytest

from indexer.lane.intake import Bucket, Intake, Share


class Clock:
    """Stands still unless it is told otherwise."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_bucket_is_empty_at_first_and_fills_at_the_rate(clock: Clock) -> None:
    bucket = Bucket(100, clock)
    assert bucket.take(500) == 0
    clock.now += 0.5
    assert bucket.take(500) == 50
    assert bucket.take(500) == 0


def test_bucket_keeps_a_seconds_worth_at_most(clock: Clock) -> None:
    bucket = Bucket(100, clock)
    clock.now += 3600
    assert bucket.take(500) == 100
    assert bucket.take(500) == 0


def test_bucket_never_gives_more_than_is_asked_for(clock: Clock) -> None:
    bucket = Bucket(100, clock)
    clock.now += 1
    assert [bucket.take(40), bucket.take(40), bucket.take(40)] == [40, 40, 20]


def test_bucket_waits_until_a_read_is_worth_it(clock: Clock) -> None:
    bucket = Bucket(100, clock)
    clock.now += 0.09
    assert bucket.take(500) == 0
    assert bucket.seconds_until(500) == pytest.approx(0.01)
    assert bucket.take(5) == 5, "who asks for less need not wait for more"
    assert Bucket(1, clock).seconds_until(500) == 1


@pytest.mark.parametrize("rate", [1, 7, 100, 12_345])
def test_no_second_brings_more_than_two_seconds_worth_and_no_time_more_than_the_rate(rate: int, clock: Clock) -> None:
    bucket, taken, began = Bucket(rate, clock), [], clock.now
    for step in range(400):
        clock.now += (0.001, 0.03, 0.4, 1.7)[step % 4]
        taken.append((clock.now, bucket.take(1 + step * 37 % 500)))
        assert sum(number for _, number in taken) <= (clock.now - began) * rate + 1e-6
        assert sum(number for at, number in taken if at > clock.now - 1) <= 2 * rate


def test_what_is_given_back_is_there_again_but_not_more_than_a_seconds_worth(clock: Clock) -> None:
    bucket = Bucket(10, clock)
    clock.now += 1
    assert bucket.take(10) == 10
    bucket.give_back(10)
    bucket.give_back(10)
    assert bucket.take(500) == 10


async def never(share: Share, most: int = 500) -> bool:
    """Whether nothing is given for now."""
    asking = asyncio.create_task(share.ask(most, asyncio.Event()))
    await asyncio.sleep(0.02)
    if asking.done():
        return False
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    return True


async def test_without_limits_each_read_is_given_what_it_asks_for() -> None:
    intake = Intake()
    share, stop = intake.share(), asyncio.Event()
    assert not intake.is_limited
    for _ in range(3):
        assert await share.ask(500, stop) == 500
        share.took(500)


async def test_number_of_messages_is_shared_and_what_was_not_taken_goes_to_others() -> None:
    intake, stop = Intake(most=10), asyncio.Event()
    one, two = intake.share(), intake.share()
    assert await one.ask(500, stop) == 10
    assert await never(two)
    asking = asyncio.create_task(two.ask(500, stop))
    await asyncio.sleep(0)
    one.took(3)
    assert await asking == 7
    two.took(7)
    assert intake.is_spent
    assert await one.ask(500, stop) == 0
    assert await two.ask(500, stop) == 0


async def test_a_read_that_failed_keeps_what_it_was_given() -> None:
    """Its entries may be delivered: they come as pending ones, and must not be counted twice."""
    intake, stop = Intake(most=4), asyncio.Event()
    one, two = intake.share(), intake.share()
    assert await one.ask(4, stop) == 4
    one.failed()
    assert await never(two)
    assert await one.ask(4, stop) == 4
    one.took(4)
    assert await two.ask(4, stop) == 0


async def test_paused_nothing_is_given_and_afterwards_it_goes_on() -> None:
    intake = Intake()
    share = intake.share()
    intake.pause(paused=True)
    assert await never(share)
    asking = asyncio.create_task(share.ask(5, asyncio.Event()))
    await asyncio.sleep(0)
    assert share.is_waiting
    intake.pause(paused=False)
    assert await asking == 5
    assert not share.is_waiting


async def test_a_change_is_obeyed_when_the_reads_from_before_are_over() -> None:
    intake, stop = Intake(), asyncio.Event()
    share = intake.share()
    await share.ask(5, stop)
    assert intake.is_obeyed
    intake.limit(1000)
    assert not intake.is_obeyed
    share.took(5)
    assert intake.is_obeyed
    assert intake.rate == 1000
    intake.limit(None)
    assert await share.ask(500, stop) == 500
    assert intake.is_obeyed


async def test_what_was_given_before_a_change_of_the_rate_and_not_read_is_void(clock: Clock) -> None:
    """A lane that waits for Redis has it in hand."""
    intake, stop = Intake(clock=clock), asyncio.Event()
    share = intake.share()
    assert await share.ask(500, stop) == 500
    share.failed()
    intake.limit(10)
    assert await never(share)
    clock.now += 1
    assert await share.ask(500, stop) == 10


async def test_stop_and_close_end_the_wait() -> None:
    paused, stop = Intake(), asyncio.Event()
    paused.pause(paused=True)
    asking = asyncio.create_task(paused.share().ask(5, stop))
    await asyncio.sleep(0)
    stop.set()
    assert await asking == 0
    closed = Intake()
    closed.close()
    assert await closed.share().ask(5, asyncio.Event()) == 0


async def test_rate_bounds_all_lanes_together(clock: Clock) -> None:
    intake = Intake(rate=100, clock=clock)
    shares = [intake.share() for _ in range(3)]
    total = 0
    for _ in range(8):
        clock.now += 0.125
        for share in shares:
            if not await never(share):
                total += share.given
                share.took(share.given)
    assert total == 100
