"""Places at a host, and the circuit that keeps everybody away for a while."""

import asyncio

import pytest

from indexer.identity import gates
from indexer.identity.gates import Gates, TurnedAwayError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def make(clock: Clock, *, at_once: int = 2, trips: int = 2, wait_s: float = 0.05) -> Gates:
    return Gates(at_once=at_once, trips=trips, open_s=10, open_most_s=25, wait_s=wait_s, clock=clock)


async def go(doors: Gates, *, failed: bool | None, key: str = "a") -> None:
    async with doors.passage(key) as passage:
        passage.failed = failed


async def test_a_gate_has_so_many_places(clock: Clock) -> None:
    doors = make(clock)
    async with doors.passage("a"), doors.passage("a"):
        with pytest.raises(TurnedAwayError) as refusal:
            await go(doors, failed=False)
        assert (refusal.value.cause, refusal.value.retry_after_s) == ("busy", 0.05)
        await go(doors, failed=False, key="b")
    await go(doors, failed=False)


async def test_failures_in_a_row_shut_it_for_longer_and_longer(clock: Clock) -> None:
    doors = make(clock)
    await go(doors, failed=True)
    await go(doors, failed=True)
    for left_s in (10.0, 20.0, 25.0, 25.0):
        with pytest.raises(TurnedAwayError) as refusal:
            await go(doors, failed=False)
        assert (refusal.value.cause, refusal.value.retry_after_s) == ("circuit_open", left_s)
        clock.now += left_s
        await go(doors, failed=True)  # the trial


async def test_a_success_in_between_keeps_it_open(clock: Clock) -> None:
    doors = make(clock)
    for _ in range(5):
        await go(doors, failed=True)
        await go(doors, failed=False)


async def test_a_good_trial_opens_it_for_all(clock: Clock) -> None:
    doors = make(clock)
    await go(doors, failed=True)
    await go(doors, failed=True)
    clock.now = 10
    await go(doors, failed=False)
    async with doors.passage("a"), doors.passage("a"):
        pass
    await go(doors, failed=True)
    await go(doors, failed=False)


async def test_there_is_one_trial_at_a_time(clock: Clock) -> None:
    doors = make(clock)
    await go(doors, failed=True)
    await go(doors, failed=True)
    clock.now = 10
    async with doors.passage("a"):
        with pytest.raises(TurnedAwayError) as refusal:
            await go(doors, failed=False)
        assert refusal.value.cause == "circuit_open"
    await go(doors, failed=False)  # a trial that taught nothing makes room for the next


async def test_failures_that_were_under_way_do_not_shut_it_for_longer(clock: Clock) -> None:
    doors = make(clock, at_once=9)
    inside = [doors.passage("a") for _ in range(5)]
    passages = [await one.__aenter__() for one in inside]
    for one, passage in zip(inside, passages, strict=True):
        passage.failed = True
        await one.__aexit__(None, None, None)
    with pytest.raises(TurnedAwayError) as refusal:
        await go(doors, failed=False)
    assert refusal.value.retry_after_s == 10


async def test_who_waits_is_turned_away_when_it_is_shut(clock: Clock) -> None:
    doors = make(clock, at_once=1, trips=1, wait_s=5)
    async with doors.passage("a") as passage:
        waiting = asyncio.create_task(go(doors, failed=False))
        await asyncio.sleep(0)
        passage.failed = True
    with pytest.raises(TurnedAwayError) as refusal:
        await waiting
    assert refusal.value.cause == "circuit_open"


async def test_it_can_be_shut_for_a_time(clock: Clock) -> None:
    doors = make(clock)
    doors.shut("a", 100)
    doors.shut("a", 50)
    with pytest.raises(TurnedAwayError) as refusal:
        await go(doors, failed=False)
    assert (refusal.value.cause, refusal.value.retry_after_s) == ("rate_limited", 100)
    clock.now = 100
    await go(doors, failed=False)


async def test_a_cancelled_visitor_leaves_its_place(clock: Clock) -> None:
    doors = make(clock, at_once=1, wait_s=5)
    async with doors.passage("a"):
        waiting = asyncio.create_task(go(doors, failed=False))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await go(doors, failed=False)


async def test_gates_that_remember_nothing_are_forgotten(clock: Clock) -> None:
    doors = make(clock)
    for number in range(1000):
        await go(doors, failed=False, key=str(number))
    assert len(doors) == 0


async def test_of_gates_that_remember_failures_only_the_newest_are_kept(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "MAX_GATES", 100)
    doors = make(clock, trips=1)
    async with doors.passage("in use"):
        for number in range(1000):
            await go(doors, failed=True, key=str(number))
        assert len(doors) == 100
        with pytest.raises(TurnedAwayError):
            await go(doors, failed=True, key="999")
        async with doors.passage("in use"):
            pass
