"""What the charts of the last hour show, kept in memory: bounded, and gone with the process."""

from dataclasses import dataclass, field
from typing import Any

from indexer.commands.status.estimates import Count, rates
from indexer.commands.status.watch import Snapshot

EVERY_S = 10.0
MOST = 360
"""Points; with `EVERY_S`, an hour."""
NOTE = "kept in the memory of this process: it begins with its start, and ends with it"


Points = list[float | None]
"""None: not known at that time."""


@dataclass(slots=True)
class _Course:
    """How a stream went."""

    into: Points = field(default_factory=list)
    out: Points = field(default_factory=list)
    left: Points = field(default_factory=list)
    last: Count | None = None


class History:
    """Points of all courses belong together, by their place."""

    def __init__(self, streams: tuple[str, ...]) -> None:
        self._at: Points = []
        self._dead: Points = []
        self._handles: Points = []
        self._courses = {stream: _Course() for stream in streams}

    def add(self, found: Snapshot, at_s: float) -> None:
        """A point; `at_s` is monotonic."""
        _keep(self._at, round(found.at.timestamp(), 1))
        _keep(self._dead, found.ledger.letters.total if found.ledger.letters else None)
        _keep(self._handles, found.ledger.handles)
        counted = {one.queue.group.stream: one.queue for one in found.streams}
        for stream, course in self._courses.items():
            queue = counted.get(stream)
            now = Count(at_s, queue.added, queue.left) if queue else None
            since = rates([course.last, now]) if course.last and now else None
            _keep(course.into, _rounded(since.into) if since else None)
            _keep(course.out, _rounded(since.out) if since else None)
            _keep(course.left, queue.left if queue else None)
            course.last = now

    def described(self) -> dict[str, Any]:
        """For the document: rates a second, `at` in seconds since the epoch."""
        return {
            "every_s": EVERY_S,
            "most_points": MOST,
            "note": NOTE,
            "at": self._at,
            "dead_letters": self._dead,
            "handle_backlog": self._handles,
            "streams": {
                stream: {"in_per_s": course.into, "out_per_s": course.out, "left": course.left}
                for stream, course in self._courses.items()
            },
        }


def _keep(points: Points, point: float | None) -> None:
    points.append(point)
    del points[:-MOST]


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)
