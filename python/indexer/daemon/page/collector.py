"""Looks at both servers now and then, for whoever watches the page: as often for a hundred as for one."""

import asyncio
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

import structlog

from indexer import _native
from indexer.commands.status import texts
from indexer.commands.status.ledger import Ledger
from indexer.commands.status.watch import Snapshot
from indexer.configuration import secrets
from indexer.configuration.settings import Settings
from indexer.daemon.page.history import EVERY_S, History
from indexer.daemon.page.watch import InnerWatch
from indexer.wording import printable

log = structlog.get_logger()

FRESH_S = 2.5
"""A look that is younger serves everybody who asks."""
PATIENCE_S = 1.5
"""Nobody waits longer for a new look: the one before has its time on it."""
SHARE = 50
"""Reads of the database may take one part in so many of the time, however long one takes."""

LaneStates = Callable[[], dict[str, str]]
"""By stream, the state of its lane."""


class Collector:
    """`run` for the charts, `document` for those who ask."""

    def __init__(self, settings: Settings, watch: InnerWatch, lane_states: LaneStates) -> None:
        self._watch = watch
        self._lane_states = lane_states
        self._passwords = secrets.passwords([settings.redis_url, settings.postgres_url])
        self._process = {
            "consumer": settings.consumer,
            "version": _native.VERSION,
            "started_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        self._history = History(settings.streams_read)
        self._found: Snapshot | None = None
        self._lanes: dict[str, str] = {}
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._ledger: tuple[Ledger, Any] = (Ledger(), None)
        self._read_at = datetime.now(UTC)
        self._read_again_at = float("-inf")
        self._document: tuple[Snapshot, str] | None = None

    async def run(self) -> NoReturn:
        """Look again and again, and keep the course of things. A fault costs the page a point, the daemon nothing."""
        while True:
            started = time.monotonic()
            await asyncio.wait({self._look_soon()})
            if self._found is not None and self._looked_at >= started - FRESH_S:
                self._history.add(self._found, self._looked_at)
                self._document = None
            await asyncio.sleep(max(0.0, started + EVERY_S - time.monotonic()))

    async def document(self) -> str | None:
        """JSON: what `indexer status --json` shows, and what only the process knows. None: there was no look yet."""
        if time.monotonic() - self._looked_at > FRESH_S:
            await asyncio.wait({self._look_soon()}, timeout=PATIENCE_S)
        if self._found is None:
            return None
        if self._document is None or self._document[0] is not self._found:
            self._document = (self._found, json.dumps(self._scrubbed(self._fields(self._found))))
        age_s = time.monotonic() - self._looked_at
        return f'{self._document[1][:-1]}, "age_s": {age_s:.1f}}}'

    async def close(self) -> None:
        """End a look that is going on."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking}, timeout=1)

    def _look_soon(self) -> "asyncio.Task[None]":
        """The look that is going on, or a new one."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="status page")
        return self._looking

    async def _look(self) -> None:
        try:
            await self._watch.count()
            now = time.monotonic()
            if now >= self._read_again_at:
                self._ledger = await self._watch.read_database()
                self._read_at = datetime.now(UTC)
                self._read_again_at = time.monotonic() + max(EVERY_S / 2, SHARE * (time.monotonic() - now))
            self._found, self._lanes = await self._watch.snapshot(*self._ledger), self._lane_states()
            self._looked_at = now
        except Exception as fault:
            log.warning("status_page_failed", error=fault)

    def _fields(self, found: Snapshot) -> dict[str, Any]:
        return {
            **texts.fields(found),
            **self._process,
            "database_read_at": self._read_at.isoformat(),
            "lanes": self._lanes,
            "reasons": [printable(reason) for reason in found.instance.reasons],
            "history": self._history.described(),
        }

    def _scrubbed(self, value: Any) -> Any:
        """Without the passwords that are known, wherever a server may have repeated them."""
        if not self._passwords:
            return value
        if isinstance(value, str):
            return secrets.scrubbed(value, self._passwords)
        if isinstance(value, dict):
            return {self._scrubbed(name): self._scrubbed(each) for name, each in value.items()}
        if isinstance(value, list | tuple):
            return [self._scrubbed(each) for each in value]
        return value
