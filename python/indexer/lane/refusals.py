"""The circuit breaker of a lane: where much becomes dead letters, the messages are not to blame (interface.md).

What PostgreSQL refuses says that something is wrong here: a few percent halt the lane. What the decoder rejects, or our
own code fails on, whoever has an account can write: it is told, and halts only where most are bad.
"""

import time
from collections.abc import Callable, Iterable

import structlog

from indexer.lane.sliding_window import SlidingWindow
from indexer.sink.halving import HaltedError

log = structlog.get_logger()

REFUSED = "db"
"""The reason of what PostgreSQL refused."""
HALF = 50.0
"""Percent of dead letters of any kind that halt."""
ALERT_PERCENT = 5.0
"""Percent of dead letters of any kind that are told, where the limit is off."""
ALERT_S = 600
"""At least so long between two lines about them."""


class Refusals:
    """Counts the dead letters among the last messages of a lane; in memory, so that a start begins anew."""

    def __init__(self, stream: str, limit: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        """`limit` is in percent; None: nothing halts."""
        self._stream = stream
        self._limit = limit
        self._clock = clock
        self._window = SlidingWindow()
        self._silent_until = float("-inf")

    def count(self, messages: int, dead: Iterable[str]) -> None:
        """Add a batch: its messages, and the reasons of those that are dead. `HaltedError` where it is too much."""
        self._window.add(messages, dead)
        if not self._window.is_large_enough():
            return
        if self._limit is not None:
            self._judge(self._window.counted[REFUSED], self._limit, "were refused by PostgreSQL")
            self._judge(self._window.counted.total(), HALF, "became dead letters")
        self._tell()

    def _judge(self, number: int, limit: float, what: str) -> None:
        if self._window.percent(number) > limit:
            raise HaltedError(
                f"{number} of the last {self._window.messages} messages {what}, more than {limit:g} %: `indexer dlq "
                "ls` shows why; INDEXER_DEAD_LETTER_LIMIT=off goes on all the same"
            )

    def _tell(self) -> None:
        window = self._window
        dead = window.counted.total()
        if window.percent(dead) <= (self._limit or ALERT_PERCENT) or self._clock() < self._silent_until:
            return
        self._silent_until = self._clock() + ALERT_S
        reasons = dict(window.counted.most_common())
        log.warning("many_dead_letters", stream=self._stream, dead=dead, of_messages=window.messages, reasons=reasons)
