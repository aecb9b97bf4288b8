"""How much the lanes may read, all together: a rate, a number of messages (`--canary`), nothing while paused.

A lane asks before each read and says afterwards how many messages it took; what it was given and did not take goes
back. So no read ever brings more than was given, whichever lanes are idle meanwhile.
"""

import asyncio
import time
from collections.abc import Callable

from indexer.pulse import relying

LOOK_AGAIN_S = 0.5
"""The longest wait before a look whether the process stops."""
IDLE_S = 0.1
"""Between two reads of a silent stream where the intake is limited: a read that waits would keep what it was given."""
PORTIONS = 10
"""In so many portions the messages of a second are read: one by one would cost a transaction each."""


class Bucket:
    """Tokens that come at a rate and are kept for a second at most. It is empty at first."""

    def __init__(self, rate: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.rate = rate
        self._clock = clock
        self._tokens = 0.0
        self._at = clock()

    def take(self, most: int) -> int:
        """Take up to `most`; 0 while there are not enough to be worth a read."""
        self._refill()
        if self._tokens < self._portion(most):
            return 0
        taken = min(most, int(self._tokens))
        self._tokens -= taken
        return taken

    def give_back(self, number: int) -> None:
        self._refill()
        self._tokens = min(self._tokens + number, self.rate)

    def seconds_until(self, most: int) -> float:
        """Until `take(most)` gives something."""
        self._refill()
        return max(0.0, (self._portion(most) - self._tokens) / self.rate)

    def _portion(self, most: int) -> int:
        return min(most, max(1, self.rate // PORTIONS))

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(self._tokens + (now - self._at) * self.rate, self.rate)
        self._at = now


class Intake:
    """What all lanes of a process may read."""

    def __init__(
        self, rate: int | None = None, most: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`rate` in messages a second, `most` messages in all; None: no limit."""
        self._clock = clock
        self._bucket = None if rate is None else Bucket(rate, clock)
        self._left = most
        self._changed = asyncio.Event()
        self._shares: list[Share] = []
        self._change = 0
        self.is_paused = False
        self.is_closed = False
        """Whether nothing is read any more."""

    def share(self) -> "Share":
        """For one lane."""
        self._shares.append(Share(self))
        return self._shares[-1]

    @property
    def rate(self) -> int | None:
        return None if self._bucket is None else self._bucket.rate

    @property
    def is_limited(self) -> bool:
        """Whether a read may not wait for news."""
        return self._bucket is not None or self._left is not None

    @property
    def is_spent(self) -> bool:
        """Whether as many messages were taken as there may be."""
        return self._left == 0 and not any(share.given for share in self._shares)

    @property
    def is_obeyed(self) -> bool:
        """Whether no read is under way that was allowed before the last change."""
        return all(share.change == self._change for share in self._shares if share.is_reading)

    @property
    def is_at_rest(self) -> bool:
        """Whether no read is under way."""
        return not any(share.is_reading for share in self._shares)

    def pause(self, *, paused: bool) -> None:
        """Read nothing from the next read on, or read again."""
        self.is_paused = paused
        self._tell(change=True)

    def limit(self, rate: int | None) -> None:
        """Change the rate; what was saved up is lost."""
        if rate != self.rate:
            self._bucket = None if rate is None else Bucket(rate, self._clock)
            if self._left is None:  # what was given at the old rate and not read is void
                for share in self._shares:
                    share.given = share.given if share.is_reading else 0
            self._tell(change=True)

    def close(self) -> None:
        """Read nothing any more: lanes finish what they hold, and end."""
        self.is_closed = True
        self._tell()

    def _tell(self, *, change: bool = False) -> None:
        self._change += change
        self._changed.set()
        self._changed = asyncio.Event()

    def _take(self, most: int) -> int:
        if self._left is not None:
            most = min(most, self._left)
        if self._bucket is not None and most:
            most = self._bucket.take(most)
        if self._left is not None:
            self._left -= most
        return most

    def _give_back(self, number: int) -> None:
        if number and self._bucket is not None:
            self._bucket.give_back(number)
        if self._left is not None:
            self._left += number
        self._tell()

    async def _wait(self, most: int) -> None:
        """Until it may be worth to ask again."""
        seconds = LOOK_AGAIN_S
        if self._bucket is not None and not self.is_paused and self._left != 0:
            seconds = min(seconds, self._bucket.seconds_until(most))
        with relying():
            try:
                await asyncio.wait_for(self._changed.wait(), max(seconds, 0.001))
            except TimeoutError:
                return


class Share:
    """What one lane may read. After a read that failed it keeps what it was given: the reply may only be lost."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self.given = 0
        self.is_reading = False
        self.is_waiting = False
        self.change = 0
        """How often the intake had changed when the read under way was allowed."""

    async def ask(self, most: int, stop: asyncio.Event) -> int:
        """How many messages may be read now, up to `most`; waits for some. 0: nothing shall be read any more."""
        intake, self.is_reading = self._intake, False
        self.is_waiting = True
        try:
            while not (stop.is_set() or intake.is_closed):
                if not intake.is_paused:
                    self.given = self.given or intake._take(most)
                    if self.given:
                        self.is_reading, self.change = True, intake._change
                        return min(self.given, most)
                    if intake.is_spent:
                        return 0
                await intake._wait(most)
            return 0
        finally:
            self.is_waiting = False

    def failed(self) -> None:
        """The read brought no reply; its entries may have been delivered, and are found among the pending ones."""
        self.is_reading = False

    def took(self, number: int) -> None:
        """So many of them were taken; the rest goes back."""
        given, self.given, self.is_reading = self.given, 0, False
        if given:
            self._intake._give_back(given - number)
