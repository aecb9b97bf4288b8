"""The summary of `run --canary N`: what became of the first messages, and how long they took."""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog

from indexer.configuration.criteria import SLOWEST_PERCENT
from indexer.lane.decoding import Decoded
from indexer.sink.halving import Outcome

log = structlog.get_logger()


class Canary:
    """A listener of the lanes that adds up. Each message is one of indexed, ignored, stale and dead."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began = clock()
        self._times: Counter[float] = Counter()
        self.indexed = self.ignored = self.stale = self.dead = 0

    def written(self, messages: int, dead: list[str]) -> None:
        """As `Listener.written`: only what was acknowledged counts."""

    def settled(self, batch: Decoded[Any], outcome: Outcome, seconds: float) -> None:
        """As `Listener.settled`."""
        self.indexed += outcome.indexed - outcome.stale
        self.stale += outcome.stale
        self.ignored += sum(batch.tally.ignored.values()) + outcome.not_its_own + outcome.account_status
        self.dead += len(batch.tally.dead) + len(outcome.dead)
        self._times[round(seconds, 3)] += len(batch.ids)

    @property
    def p99_s(self) -> float:
        """What all but 1 % of the messages took at most, from read to acknowledgement; 0 where there are none."""
        allowed = self._times.total() * SLOWEST_PERCENT / 100
        above = 0
        for seconds in sorted(self._times, reverse=True):
            above += self._times[seconds]
            if above > allowed:
                return seconds
        return 0.0

    def tell(self) -> None:
        log.info(
            "canary",
            indexed=self.indexed,
            ignored=self.ignored,
            stale=self.stale,
            dead=self.dead,
            duration_s=round(self._clock() - self._began, 3),
            p99_s=self.p99_s,
        )
