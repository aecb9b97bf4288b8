"""How late the event loop is: a host that answered in time must not pay for our being busy."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

_TICK_S = 0.05


class LoopLag:
    """Counts the seconds by which a sleeping task was woken too late, since `watching` began."""

    def __init__(self) -> None:
        self._lost_s = 0.0
        self._due = float("inf")

    @property
    def lost_s(self) -> float:
        """The sum so far, with what is being lost at this moment."""
        return self._lost_s + max(0.0, asyncio.get_running_loop().time() - self._due)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator["LoopLag"]:
        task = asyncio.create_task(self._watch())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self._due = loop.time() + _TICK_S
            await asyncio.sleep(_TICK_S)
            self._lost_s += max(0.0, loop.time() - self._due)
