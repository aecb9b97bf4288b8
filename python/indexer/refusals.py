"""The circuit breaker of a lane: where much becomes dead letters, the messages are not to blame (interface.md).

What PostgreSQL refuses says that something is wrong here: a few percent halt the lane. What the decoder rejects, or our
own code fails on, whoever has an account can write: it is told, and halts only where most are bad.
"""

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable

import structlog

from indexer.sink.halving import HaltedError

log = structlog.get_logger()

LAST_MESSAGES = 10_000
"""What the shares are taken of, in whole batches."""
FEWEST_MESSAGES = 1_000
"""Fewer are not judged: after a start a handful of dead letters would be a great share."""
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
        self._batches: deque[tuple[int, Counter[str]]] = deque()
        self._messages = 0
        self._dead: Counter[str] = Counter()
        self._silent_until = float("-inf")

    def count(self, messages: int, dead: Iterable[str]) -> None:
        """Add a batch: its messages, and the reasons of those that are dead. `HaltedError` where it is too much."""
        self._batches.append((messages, Counter(dead)))
        self._messages += messages
        self._dead.update(self._batches[-1][1])
        while self._messages - self._batches[0][0] >= LAST_MESSAGES:
            gone, reasons = self._batches.popleft()
            self._messages -= gone
            self._dead.subtract(reasons)
        if self._messages < FEWEST_MESSAGES:
            return
        if self._limit is not None:
            self._judge(self._dead[REFUSED], self._limit, "were refused by PostgreSQL")
            self._judge(self._dead.total(), HALF, "became dead letters")
        self._tell()

    def _percent(self, number: int) -> float:
        return number * 100 / self._messages

    def _judge(self, number: int, limit: float, what: str) -> None:
        if self._percent(number) > limit:
            raise HaltedError(
                f"{number} of the last {self._messages} messages {what}, more than {limit:g} %: `indexer dlq ls` shows "
                "why; INDEXER_DEAD_LETTER_LIMIT=off goes on all the same"
            )

    def _tell(self) -> None:
        dead = self._dead.total()
        if self._percent(dead) <= (self._limit or ALERT_PERCENT) or self._clock() < self._silent_until:
            return
        self._silent_until = self._clock() + ALERT_S
        reasons = {reason: number for reason, number in self._dead.most_common() if number}
        log.warning("many_dead_letters", stream=self._stream, dead=dead, of_messages=self._messages, reasons=reasons)
