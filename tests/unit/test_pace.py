"""Who asks for connections while the server is away takes turns; when it is back nobody waits any more."""

import asyncio
import time
from typing import Any

import asyncpg
import pytest

from indexer.connections import pace
from indexer.connections.pace import Pace


class Server:
    """What stands for `asyncpg.connect`: when it was asked, and whether it is there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[float] = []
        self.is_there = False
        monkeypatch.setattr(asyncpg, "connect", self.connect)

    async def connect(self, *_arguments: Any, **_options: Any) -> str:
        self.asked.append(time.monotonic())
        await asyncio.sleep(0)
        if self.is_there:
            return "connection"
        raise ConnectionRefusedError


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(monkeypatch)


async def test_tries_are_apart_however_many_ask(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PACE_S", 0.02)
    paced = Pace()
    with pytest.raises(ConnectionRefusedError):
        await paced.connect()
    found = await asyncio.gather(*(paced.connect() for _ in range(10)), return_exceptions=True)
    assert [type(each) for each in found] == [ConnectionRefusedError] * 10
    apart = [later - earlier for earlier, later in zip(server.asked, server.asked[1:], strict=False)]
    # the event loop wakes up to a clock's tick early
    assert min(apart) > 0.01


async def test_all_go_on_when_one_has_succeeded(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "PACE_S", 3600)
    paced = Pace()
    with pytest.raises(ConnectionRefusedError):
        await paced.connect()
    late = [asyncio.create_task(paced.connect()) for _ in range(5)]
    await asyncio.sleep(0.01)
    assert len(server.asked) == 1
    server.is_there = True
    paced._next = time.monotonic()
    await paced.connect()
    await asyncio.gather(*late)
    assert len(server.asked) == 7


async def test_nobody_waits_for_a_server_that_is_there(server: Server) -> None:
    server.is_there = True
    paced = Pace()
    await asyncio.gather(*(paced.connect() for _ in range(50)))
    assert len(server.asked) == 50
