"""Account and identity events: what they do to a status, a deletion, a handle (actors.md 2.1, 3; DIV-9). No I/O."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from indexer._native import Event, parse_dates

PROFILE = "app.bsky.actor.profile"
ACTIVE = ""
DELETED = "deleted"
_STATUSES = frozenset({"deactivated", "suspended", "takendown", DELETED})

FRESH_MS = 24 * 3_600_000
FRESH_WITHOUT_HANDLE_MS = 3_600_000
NEVER_MS = -(2**53)
"""Stands for the instant of an account event whose time cannot be read: older than all others."""


@dataclass(frozen=True, slots=True)
class AccountRules:
    """What the settings say of accounts: ENABLE_DID_RESOLUTION and INDEXER_ACCOUNT_DELETION."""

    look_ups: bool = True
    deletion: Literal["purge", "ignore"] = "purge"


class Standing(NamedTuple):
    """An account event. Of several of a DID the greatest decides, in whatever order they come (DIV-9)."""

    at_ms: int
    time: str
    status: str
    """`ACTIVE` for none."""


class Wanted(NamedTuple):
    """A look-up that waits: what `actor."indexedAt"` becomes if a handle is found, and if none is."""

    found_time: str
    missing_time: str


class Known(NamedTuple):
    """A row of `actor`."""

    handle: str | None
    indexed_at: str


def status_of(event: Event) -> str | None:
    """The status that an account event gives, `ACTIVE` or `DELETED` among them; None: it has no effect."""
    if event.active:
        return ACTIVE
    return event.status if event.active is False and event.status in _STATUSES else None


def has_effect(event: Event, rules: AccountRules) -> bool:
    """Whether an account event does anything (actors.md 3)."""
    status = status_of(event)
    return status is not None and (status != DELETED or rules.deletion == "purge")


def asks_for_handle(event: Event) -> bool:
    """Whether an event that was applied has the handle looked up (actors.md 2); stale counts as applied."""
    if event.kind == "account":
        return status_of(event) != DELETED
    return event.kind == "identity" or event.collection == PROFILE


def standings(events: Iterable[Event]) -> tuple[dict[str, Standing], dict[str, Standing], dict[str, str]]:
    """By DID: the newest status, the newest deletion, and the time of the first event with a status to keep."""
    events = list(events)
    statuses: dict[str, Standing] = {}
    deletions: dict[str, Standing] = {}
    kept: dict[str, str] = {}
    for event, at_ms in zip(events, parse_dates([event.time for event in events]), strict=True):
        status = status_of(event) or ACTIVE
        standing = Standing(NEVER_MS if at_ms is None else at_ms, event.time, status)
        newest = deletions if status == DELETED else statuses
        newest[event.did] = max(standing, newest.get(event.did, standing))
        if status not in (ACTIVE, DELETED):
            kept.setdefault(event.did, event.time)
    return statuses, deletions, kept


def judge(
    events: Iterable[Event], actors: Mapping[str, Known], waiting: Mapping[str, Wanted]
) -> tuple[dict[str, str], dict[str, Wanted]]:
    """By DID: look-ups that events ask for (actors.md 2.1), with the time of the first; then those that events change.

    Event by event, each on the row as it was before it. The reference looks up at once; here the row comes later. So
    while a look-up waits, both of the rows that it may come to are reckoned with.
    """
    ms: dict[str, int | None] = {}

    def is_later(time: str, than: str, by_ms: int) -> bool:
        """By more than that; what cannot be read is not (JavaScript's NaN)."""
        for text in (time, than):
            if text not in ms:
                (ms[text],) = parse_dates([text])
        left, right = ms[time], ms[than]
        return left is not None and right is not None and left - right > by_ms

    asked: dict[str, str] = {}
    moved: dict[str, Wanted] = {}
    for event in events:
        did, time = event.did, event.time
        wanted = moved.get(did) or waiting.get(did)
        if wanted is None and did in asked:
            wanted = Wanted(asked[did], asked[did])
        if wanted is not None:
            then = Wanted(
                time if is_later(time, wanted.found_time, FRESH_MS) else wanted.found_time,
                time if is_later(time, wanted.missing_time, FRESH_WITHOUT_HANDLE_MS) else wanted.missing_time,
            )
            if then != wanted:
                moved[did] = then
            continue
        actor = actors.get(did)
        fresh_ms = FRESH_MS if actor is not None and actor.handle is not None else FRESH_WITHOUT_HANDLE_MS
        if actor is None or is_later(time, actor.indexed_at, fresh_ms):
            asked[did] = time
    return asked, moved
