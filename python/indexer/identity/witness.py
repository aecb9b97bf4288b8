"""Whose fault a failure is: the host's, or our network's.

A handle becomes NULL when its host fails, not when we cannot reach anybody. One failed connection does not tell these
apart, many do. So the outcomes of the last minute are kept by host, and a host is not blamed while
- at least `silent_least` other hosts are silent (time-outs, no route, long waiting) and fewer answered, or
- at least `unreached_least` other hosts could not be reached in any way (refused and TLS failures included: a firewall,
  missing root certificates) and not one answered.
A stranger with many silent hosts can make us hesitate, which costs nothing but time: what is not blamed is asked again.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from indexer.identity.limits import Limits

Verdict = Literal["answered", "silent", "failed"]


class Witness:
    """The outcomes of requests to strangers' hosts in the last `witness_s` seconds, the newest of each host."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._seen: OrderedDict[str, tuple[float, Verdict]] = OrderedDict()
        self._counts: dict[Verdict, int] = {"answered": 0, "silent": 0, "failed": 0}
        self._pending: dict[int, tuple[str, float]] = {}
        self._next = 0

    def begin(self, host: str) -> int:
        """A request goes out. Gives its number, for `end`."""
        self._next += 1
        self._pending[self._next] = (host, self._clock())
        return self._next

    def end(self, number: int, verdict: Verdict | None) -> None:
        """How it ended; None: nothing was learned (cancelled, our own fault)."""
        host, _ = self._pending.pop(number)
        if verdict is not None:
            self._forget(host)
            self._seen[host] = (self._clock(), verdict)
            self._counts[verdict] += 1

    def is_widespread(self, host: str) -> bool:
        """Whether so many other hosts fail that this one is not to blame."""
        now = self._clock()
        while self._seen and next(iter(self._seen.values()))[0] < now - self._limits.witness_s:
            self._forget(next(iter(self._seen)))
        counts = dict(self._counts)
        if host in self._seen:
            counts[self._seen[host][1]] -= 1
        waiting = {name for name, since in self._pending.values() if since < now - self._limits.pending_s}
        silent = counts["silent"] + len(waiting - self._seen.keys() - {host})
        return (silent >= self._limits.silent_least and silent > counts["answered"]) or (
            silent + counts["failed"] >= self._limits.unreached_least and counts["answered"] == 0
        )

    def _forget(self, host: str) -> None:
        seen = self._seen.pop(host, None)
        if seen is not None:
            self._counts[seen[1]] -= 1
