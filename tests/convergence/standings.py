"""What account events leave in the tables, as a function of their set (DIV-9; design.md, deleted accounts).

The newest event decides what the status is, and the newest deletion what is asked. Whether an account goes that came
back depends on the order: a newer status withdraws a deletion, but not one that was begun. So what was removed is
taken from the tables (`marks`), it is judged whether it may be so, and everything else follows from the marks.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from indexer._native import Event

Marks = Mapping[str, int]
"""By DID of a removed account: up to when its events count for nothing, in milliseconds since the epoch."""

NEVER = -(2**53)
"""For a time that cannot be read."""
_ACTIVE, _DELETED = "", "deleted"
_STATUSES = ("deactivated", "suspended", "takendown", _DELETED)


class Standing(NamedTuple):
    """What an account event says; the greatest one of a DID decides."""

    at_ms: int
    time: str
    status: str


def instant(time: str) -> int:
    """Milliseconds since the epoch."""
    try:
        at = datetime.fromisoformat(time)
    except ValueError:
        return NEVER
    return int((at - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000)


def is_stale(event: Event, marks: Marks) -> bool:
    """Whether it is of a removed account and not newer than its deletion."""
    mark = marks.get(event.did)
    return mark is not None and instant(event.time) <= mark


def standings(events: Iterable[Event]) -> tuple[dict[str, list[Standing]], dict[str, list[Standing]]]:
    """By DID, in ascending order: statuses, and deletions. Others have no effect (actors.md 3)."""
    statuses: dict[str, list[Standing]] = defaultdict(list)
    deletions: dict[str, list[Standing]] = defaultdict(list)
    for event in events:
        if event.kind != "account":
            continue
        status = _ACTIVE if event.active else (event.status or "") if event.active is False else ""
        if event.active or status in _STATUSES:
            into = deletions if status == _DELETED else statuses
            into[event.did].append(Standing(instant(event.time), event.time, status))
    for found in (*statuses.values(), *deletions.values()):
        found.sort()
    return statuses, deletions


def marks_of(deletions: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """What was removed, by the rows of `account_deletion`."""
    return {row["did"]: row["removed_ms"] for row in deletions if row["removed_ms"] is not None}


def wrong_marks(events: Iterable[Event], marks: Marks, hosted: Collection[str]) -> Iterator[str]:
    """A line for each account that was removed and must not, or the other way round, when all jobs are done."""
    statuses, deletions = standings(events)
    for did in marks.keys() - deletions.keys():
        yield f"{did} was removed without a deletion"
    for did, asked in deletions.items():
        may_be: set[int | None] = {asked[-1].at_ms}
        if did in hosted:
            may_be = {None}
        elif statuses[did] and statuses[did][-1] > asked[-1]:
            may_be = {None, *(deletion.at_ms for deletion in asked)}  # it came back
        if marks.get(did) not in may_be:
            yield f"{did} was removed up to {marks.get(did)}, which is none of {may_be}"


def account_rows(events: Iterable[Event], marks: Marks) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """Table, DID and row of what must be there; without a row of what may be."""
    statuses, deletions = standings(events)
    for did, removed_ms in marks.items():
        _, time, _ = deletions[did][-1]
        yield "indexer.account_deletion", did, {"time": time, "state": "removed", "removed_ms": removed_ms}
    for did, known in statuses.items():
        newest, mark = known[-1], marks.get(did)
        if mark is not None and newest.at_ms <= mark:
            yield "indexer.account_status", did, None  # if it came before the removal
            continue
        status = newest.status or None
        yield "indexer.account_status", did, {"time": newest.time, "status": status}
        if any(each.status and (mark is None or each.at_ms > mark) for each in known):
            row = {"upstreamStatus": status}
            # without a status the removal takes the row of an older event along, with a newer one there would be one
            yield "actor", did, row if mark is None or status else None
