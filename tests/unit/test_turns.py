"""Who gets a connection next, where there are fewer of them than lanes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexer.connections.database import Turns


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


@asynccontextmanager
async def taken(turns: Turns) -> AsyncIterator[None]:
    """One turn in somebody's hands."""
    async with turns.turn(rank=0):
        yield


async def free(turns: Turns) -> int:
    """How many turns can be had at once; they are given back."""
    holders: list[asyncio.Task[None]] = []
    held: list[int] = []

    async def hold(number: int) -> None:
        async with turns.turn(rank=9):
            held.append(number)
            await asyncio.Event().wait()

    while len(held) == len(holders):
        holders.append(asyncio.create_task(hold(len(holders))))
        await settle()
    for holder in holders:
        holder.cancel()
    await asyncio.gather(*holders, return_exceptions=True)
    return len(held)


def queue(turns: Turns, *ranks: int) -> tuple[list[str], list[asyncio.Task[None]]]:
    """Tasks that wait for a turn, and the order in which they get it: rank and place in the queue."""
    order: list[str] = []

    async def wait(rank: int, place: int) -> None:
        async with turns.turn(rank):
            order.append(f"{rank}{'abcdefgh'[place]}")

    return order, [asyncio.create_task(wait(rank, place)) for place, rank in enumerate(ranks)]


async def test_lowest_rank_goes_first_then_who_came_first() -> None:
    turns = Turns(1)
    async with taken(turns):
        order, tasks = queue(turns, 1, 0, 1, 0, 2)
        await settle()
        assert order == []
    await asyncio.gather(*tasks)
    assert order == ["0b", "0d", "1a", "1c", "2e"]


async def test_turns_that_are_free_are_given_at_once_up_to_their_number() -> None:
    turns = Turns(2)
    async with taken(turns), taken(turns):
        order, tasks = queue(turns, 0)
        await settle()
        assert order == []
    await asyncio.gather(*tasks)
    assert await free(turns) == 2


async def test_one_that_waits_is_served_before_one_that_comes_later() -> None:
    """A turn that is given back is not free for who happens to ask first: it belongs to the queue."""
    turns = Turns(1)
    async with taken(turns):
        order, tasks = queue(turns, 1)
        await settle()
    later, later_tasks = queue(turns, 0)
    await asyncio.gather(*tasks, *later_tasks)
    assert (order, later) == (["1a"], ["0a"])


async def test_failure_gives_the_turn_back() -> None:
    turns = Turns(1)
    with pytest.raises(ValueError, match="in the block"):
        async with turns.turn(0):
            raise ValueError("in the block")
    assert await free(turns) == 1


async def test_one_that_gives_up_waiting_leaves_the_turn_to_the_next() -> None:
    turns = Turns(1)
    async with taken(turns):
        order, (first, second) = queue(turns, 0, 1)
        await settle()
        first.cancel()
        await settle()
    await second
    assert order == ["1b"]
    assert await free(turns) == 1


async def test_one_that_gives_up_just_when_its_turn_comes_passes_it_on() -> None:
    turns = Turns(1)
    async with taken(turns):
        order, (first, second) = queue(turns, 0, 1)
        await settle()
    first.cancel()  # its turn has come, but it has not run yet
    with suppress(asyncio.CancelledError):
        await first
    await second
    assert order == ["1b"]
    assert await free(turns) == 1


async def test_all_give_up_just_when_their_turn_comes() -> None:
    turns = Turns(1)
    async with taken(turns):
        order, tasks = queue(turns, 0, 0, 1)
        await settle()
        tasks[1].cancel()
        tasks[2].cancel()
    tasks[0].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == []
    assert await free(turns) == 1


PEOPLE = st.tuples(st.integers(0, 2), st.integers(0, 3), st.sampled_from(("works", "fails", "cancelled")))


@given(size=st.integers(1, 3), people=st.lists(PEOPLE, max_size=12), pauses=st.lists(st.integers(0, 3), max_size=12))
def test_no_turn_is_lost_and_none_is_given_twice(
    size: int, people: list[tuple[int, int, str]], pauses: list[int]
) -> None:
    """Whoever comes, works, fails or gives up at whatever moment: in the end there are as many turns as before."""

    async def run() -> None:
        turns, holders, most = Turns(size), 0, 0

        async def person(rank: int, work: int, fate: str) -> None:
            nonlocal holders, most
            async with turns.turn(rank):
                holders += 1
                most = max(most, holders)
                try:
                    for _ in range(work):
                        await asyncio.sleep(0)
                    if fate == "fails":
                        raise ValueError
                finally:
                    holders -= 1

        tasks = []
        for number, who in enumerate(people):
            tasks.append(asyncio.create_task(person(*who)))
            for _ in range(pauses[number] if number < len(pauses) else 0):
                await asyncio.sleep(0)
            if who[2] == "cancelled":
                tasks[number // 2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert holders == 0
        assert most <= size
        assert await free(turns) == size

    asyncio.run(run())
