"""Who may ask a host now: so many at once, and nobody while it fails again and again.

One `Gates` guards one kind of keys (host names, addresses, the directory). A gate opens again for one trial at a time;
the trial decides whether for all, or how much longer it stays shut.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from indexer.identity.outcomes import Cause

MAX_GATES = 20_000  # gates of hosts that failed are kept; a few hundred bytes each


class TurnedAwayError(Exception):
    """Not now. `cause` is `busy`, `circuit_open` or `rate_limited`."""

    def __init__(self, cause: Cause, retry_after_s: float) -> None:
        super().__init__(cause, retry_after_s)
        self.cause: Cause = cause
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Passage:
    """Set `failed` to what was learned about the host; None teaches nothing (cancelled, not its fault)."""

    failed: bool | None = None


class _Gate:
    __slots__ = ("cause", "failures", "open_s", "places", "shut_until", "trial", "users")

    def __init__(self, at_once: int, open_s: float) -> None:
        self.places = asyncio.Semaphore(at_once)
        self.users = 0
        self.failures = 0
        self.open_s = open_s
        self.shut_until = float("-inf")
        self.cause: Cause = "circuit_open"
        self.trial = False


class Gates:
    """Gates by key. `clock` gives seconds that never go back."""

    def __init__(
        self,
        *,
        at_once: int,
        trips: int,
        open_s: float,
        open_most_s: float,
        wait_s: float,
        clock: Callable[[], float],
    ) -> None:
        self._at_once = at_once
        self._trips = trips
        self._open_s = open_s
        self._open_most_s = open_most_s
        self._wait_s = wait_s
        self._clock = clock
        self._gates: OrderedDict[str, _Gate] = OrderedDict()

    def __len__(self) -> int:
        return len(self._gates)

    @contextlib.asynccontextmanager
    async def passage(self, key: str) -> AsyncIterator[Passage]:
        """A place at the host for the time of the block; TurnedAwayError where there is none within `wait_s`."""
        gate = self._gate(key)
        gate.users += 1
        try:
            self._check(gate)
            try:
                async with asyncio.timeout(self._wait_s):
                    await gate.places.acquire()
            except TimeoutError:
                raise TurnedAwayError("busy", self._wait_s) from None
            try:
                self._check(gate)  # it may have been shut while we waited
                trial = gate.failures >= self._trips
                gate.trial = gate.trial or trial
                passage = Passage()
                try:
                    yield passage
                finally:
                    gate.trial = gate.trial and not trial
                    self._learn(gate, passage.failed)
            finally:
                gate.places.release()
        finally:
            gate.users -= 1
            self._tidy(key, gate)

    def shut(self, key: str, seconds: float) -> None:
        """Let nobody in for a time that the host asked for (Retry-After)."""
        gate = self._gate(key)
        gate.shut_until = max(gate.shut_until, self._clock() + seconds)
        gate.cause = "rate_limited"

    def _gate(self, key: str) -> _Gate:
        gate = self._gates.get(key)
        if gate is None:
            gate = self._gates[key] = _Gate(self._at_once, self._open_s)
        return gate

    def _check(self, gate: _Gate) -> None:
        left_s = gate.shut_until - self._clock()
        if left_s > 0:
            raise TurnedAwayError(gate.cause, left_s)
        if gate.trial:
            raise TurnedAwayError("circuit_open", gate.open_s)

    def _learn(self, gate: _Gate, failed: bool | None) -> None:
        now = self._clock()
        if failed is False:
            gate.failures = 0
            gate.open_s = self._open_s
        elif failed:
            gate.failures += 1
            # Those that were under way when the gate was shut do not shut it for longer.
            if gate.failures >= self._trips and gate.shut_until <= now:
                gate.shut_until = now + gate.open_s
                gate.cause = "circuit_open"
                gate.open_s = min(2 * gate.open_s, self._open_most_s)

    def _tidy(self, key: str, gate: _Gate) -> None:
        """Forget a gate that remembers nothing; of the others keep the newest."""
        if gate.users == 0 and gate.failures == 0 and gate.shut_until <= self._clock():
            self._gates.pop(key, None)
            return
        self._gates.move_to_end(key)
        if len(self._gates) > MAX_GATES:
            idle = next((old for old, other in self._gates.items() if other.users == 0), None)
            if idle is not None:
                del self._gates[idle]
