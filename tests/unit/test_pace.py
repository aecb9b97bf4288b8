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
    after_first = [at - server.asked[0] for at in server.asked]
    # never before its turn, but for a clock's tick by which the event loop wakes early; a busy machine makes it later
    assert all(after > 0.015 * turn - 0.005 for turn, after in enumerate(after_first)), after_first


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
