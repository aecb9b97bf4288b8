"""Which consumers of a group are dead, judged by what was seen of them, look by look (streams.md 2.4).

A pure judge: it knows neither Redis nor PostgreSQL nor a clock.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from indexer.lane.pending import Consumer

RESTART_S = 30.0
"""A process of ours that ended has so long, after its lease, to come back under its name and to its own entries."""
JITTER_S = 1.0
"""Two looks at a consumer that did nothing may differ by so much about when it last read."""

Reason = Literal["lease", "idle"]


@dataclass(frozen=True, slots=True)
class Dead:
    """A consumer whose entries may be taken over."""

    consumer: Consumer
    reason: Reason
    """`lease`: one of ours, whose lease has run out; `idle`: another, of which nothing was seen."""
    idle_s: float
    """Entries that were delivered before that are its entries."""


@dataclass(slots=True)
class _Watched:
    since: float
    """When it was first seen as it is."""
    read_at: float
    pending: int
    is_dead: bool = False


class Liveness:
    """Watches the consumers of one group.

    One of ours is dead when its lease has run out, and another one when it has neither read nor had an entry
    acknowledged for `idle_s`, all of that time under our eyes. What happened before the first look does not count.
    """

    def __init__(self, idle_s: float) -> None:
        self._idle_s = idle_s
        self._restart_s = min(RESTART_S, idle_s)
        self._watched: dict[bytes, _Watched] = {}

    def forget(self) -> None:
        """Begin anew: nobody knows what happened meanwhile. A server that was away stops the living, too."""
        self._watched.clear()

    def look(self, now: float, consumers: Iterable[Consumer], overdue: Mapping[str, float]) -> list[Dead]:
        """The dead among consumers that hold entries.

        `now` is monotonic, in seconds. `overdue` has, by the name of each consumer with a lease, the seconds since
        that ran out; less than 0: it is in force.
        """
        before, self._watched = self._watched, {}
        dead: list[Dead] = []
        for consumer in consumers:
            since_lease = overdue.get(consumer.name.decode(errors="replace"))
            if not consumer.pending or (since_lease is not None and since_lease < 0):
                continue
            watched = self._watched[consumer.name] = self._seen(now, consumer, before.get(consumer.name))
            # who read after the lease had run out is another process that goes by the name, one without leases
            ours = since_lease is not None and consumer.idle_s >= since_lease
            patience_s = self._restart_s if ours else self._idle_s
            watched.is_dead = now - watched.since >= patience_s and consumer.idle_s >= patience_s
            if watched.is_dead:
                dead.append(Dead(consumer, "lease" if ours else "idle", patience_s))
        return dead

    @staticmethod
    def _seen(now: float, consumer: Consumer, watched: _Watched | None) -> _Watched:
        """What is known of a consumer, from now on where it showed life.

        Entries of a dead one become fewer because somebody takes them over.
        """
        read_at = now - consumer.idle_s
        if (
            watched is None
            or read_at > watched.read_at + JITTER_S
            or (consumer.pending != watched.pending and not watched.is_dead)
        ):
            return _Watched(now, read_at, consumer.pending)
        return watched
