"""How often a PostgreSQL that is away is asked for a connection: about once a second by all of a process together."""

import asyncio
import random
import time
from contextlib import suppress
from typing import Any

import asyncpg

PACE_S = 1.0


class Pace:
    """Connects for a pool. As long as nothing fails, at once; else those who ask take turns, until one succeeds."""

    def __init__(self) -> None:
        self._next: float | None = None
        """When the next one may try; None while the server is there."""
        self._back = asyncio.Event()

    async def connect(self, *arguments: Any, **options: Any) -> "asyncpg.Connection[asyncpg.Record]":
        """As `asyncpg.connect`, when it is this one's turn."""
        if self._next is not None:
            await self._turn(self._next)
        try:
            connection: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(*arguments, **options)
        except Exception:
            if self._next is None:
                self._next = self._after(time.monotonic())
                self._back.clear()
            raise
        self._next = None
        self._back.set()
        return connection

    async def _turn(self, at: float) -> None:
        now = time.monotonic()
        at = max(at, now)
        self._next = self._after(at)
        with suppress(TimeoutError):
            await asyncio.wait_for(self._back.wait(), at - now)

    @staticmethod
    def _after(at: float) -> float:
        # never in step with other processes
        return at + PACE_S * random.uniform(0.75, 1.25)
