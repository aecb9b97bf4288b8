"""`verify` and `reconcile` on a database that is away now and then."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from types import ModuleType
from typing import Any

import asyncpg
import pytest

from indexer.commands.verify import checkpoints, walk
from indexer.connections.database import transaction
from tests.integration.verifying import POST, findings, reconcile, verify, walking, world
from tests.integration.writing import writing


def failing(module: ModuleType) -> Callable[..., Any]:
    numbers = count()

    @asynccontextmanager
    async def every_other_fails(*arguments: Any) -> AsyncIterator[Any]:
        if next(numbers) % 2 == 0:
            raise asyncpg.ConnectionDoesNotExistError(f"connection was closed ({module.__name__})")
        async with transaction(*arguments) as connection:
            yield connection

    return every_other_fails


async def test_every_transaction_may_fail_for_a_moment(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of a run, and of a pass, among them."""
    async with writing(database) as sink:
        await sink.feed(world())
        await sink.pool.execute("""UPDATE post_agg SET "likeCount" = 9 WHERE uri = $1""", POST)
    with monkeypatch.context() as patch:
        patch.setattr(walk, "SECOND_LOOK_S", 0.05)
        patch.setattr("random.uniform", lambda *_: 0.0)
        for module in (walk, checkpoints):
            patch.setattr(module, "transaction", failing(module))
        assert await reconcile(database, ["post_agg"]) == {"post_agg.likeCount": 1}
        async with walking(database, "post_agg") as walker:
            assert await findings(walker, 0.5) == []
    assert await verify(database, "post_agg") == {}
