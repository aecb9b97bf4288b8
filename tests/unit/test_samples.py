"""A server that goes away while the gauges are asked for ends nothing: they are asked for again."""

from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from redis.exceptions import ConnectionError as RedisAwayError

from indexer.daemon import samples
from indexer.metrics import Metrics


class OverError(Exception):
    """Ends the test."""


@pytest.mark.parametrize(
    "fault",
    [
        asyncpg.InternalClientError("cannot switch to state 11; another operation (2) is in progress"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.CannotConnectNowError("the database system is shutting down"),
        ConnectionResetError(),
        TimeoutError(),
    ],
    ids=lambda fault: type(fault).__name__,
)
async def test_gauges_are_asked_for_again(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [fault, {"asked": 3}, OverError()]

    async def waiting() -> dict[str, int]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]

    async def away(*_: object) -> int:
        raise RedisAwayError

    monkeypatch.setattr(samples, "SAMPLE_S", 0)
    metrics = Metrics(["s"])
    lane: Any = SimpleNamespace(source=SimpleNamespace(stream="s", group="g"))
    pool: Any = SimpleNamespace(get_size=lambda: 4)
    redis: Any = SimpleNamespace(xlen=away)
    deletions: Any = SimpleNamespace(waiting=waiting)
    with pytest.raises(OverError):
        await samples.keep_fresh([lane], redis, pool, deletions, metrics)
    assert metrics.account_deletions.labels("asked")._value.get() == 3
