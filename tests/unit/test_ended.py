"""How the daemon ends."""

import asyncio
from contextlib import suppress

import pytest

from indexer.daemon import supervision


async def test_task_that_loses_a_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a Redis client does that is just connecting: `run --drain` on an empty server hung now and then."""
    monkeypatch.setattr(supervision, "CANCEL_AGAIN_S", 0.01)

    async def deaf() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def failed() -> None:
        raise ValueError

    tasks = {asyncio.create_task(deaf()), asyncio.create_task(failed())}
    await asyncio.sleep(0)  # both have begun
    await supervision.ended(tasks)
    assert all(task.done() for task in tasks)
