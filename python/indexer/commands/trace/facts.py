"""What is known of a record or an account: facts with a time, each from one place."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from indexer.errors import ConfigError
from indexer.fold import aturi
from indexer.fold.tid import LATEST_MS
from indexer.records import RECORDS
from indexer.wording import quantity

State = str
"""`queued`, `pending`, `acknowledged` (in a stream); `stale`, `refused`, `ignored` (what becomes of such a message);
`dead_letter`; `indexed`, `duplicate`, `tombstone`, `incomplete`, `notified`, `labelled` (in the tables); `removed`,
`removing`, `deletion_asked`, `account_status`, `actor`, `look_up_waits`, `commit` (of the account).
"""


class Target(NamedTuple):
    """What is traced: an account where `collection` is empty."""

    did: str
    collection: str = ""
    rkey: str = ""

    @classmethod
    def of(cls, text: str) -> "Target":
        """ConfigError where it is neither a record's URI nor a DID."""
        if text.startswith("did:") and "/" not in text and text.count(":") >= 2:
            return cls(text)
        parts = aturi.parse(text) if text.startswith(aturi.SCHEME) else aturi.AtUri("", "", "")
        if parts.authority.startswith("did:"):
            if parts.collection and parts.rkey:
                return cls(parts.authority, parts.collection, parts.rkey)
            if not parts.collection:
                return cls(parts.authority)
        raise ConfigError(
            f"{text} is neither a record nor an account",
            "records are named by their DID, not by a handle: at://did:plc:…/app.bsky.feed.post/3k…",
            "give such a URI, or a DID alone",
        )

    @property
    def uri(self) -> str:
        return f"{aturi.SCHEME}{self.did}/{self.collection}/{self.rkey}" if self.collection else self.did

    @property
    def is_kept(self) -> bool:
        """Whether records of this collection are indexed at all."""
        return not self.collection or self.collection in RECORDS


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is true."""

    state: State
    text: str
    at_ms: int | None = None
    """When it came to be, milliseconds since the epoch; None: nobody noted it. Ids and events may hold any number."""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def time(self) -> str | None:
        return None if self.at_ms is None or abs(self.at_ms) >= LATEST_MS else iso(self.at_ms)


def iso(ms: int) -> str:
    """A time as people and programs read it."""
    if abs(ms) >= LATEST_MS:
        return f"millisecond {ms}"
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ms_of(time: str | None) -> int | None:
    """The instant of a time in a column; None where it cannot be read."""
    from indexer._native import parse_dates

    return parse_dates([time or ""])[0]


def verdict(target: Target, facts: list[Fact]) -> str:
    """The whole in one line."""
    states = {fact.state for fact in facts}
    by_state = {fact.state: fact for fact in facts}
    coming = [
        f"{quantity(number, 'message')} {word}"
        for state, word in (("pending", "in work"), ("queued", "queued"))
        if (number := sum(fact.state == state and not fact.details.get("nothing_will_change") for fact in facts))
    ]
    if not target.collection:
        if "removed" in states:
            return "the account was removed"
        if "removing" in states or "deletion_asked" in states:
            return by_state["removing" if "removing" in states else "deletion_asked"].text
        known = "account_status" if "account_status" in states else "actor" if "actor" in states else None
        parts = [by_state[known].text] if known else []
        return "; ".join([*parts, *coming]) or (facts[-1].text if facts else "nothing is known of it")
    if not target.is_kept:
        return f"records of {target.collection} are not indexed"
    standing = ("incomplete", "duplicate", "indexed", "tombstone", "removed")
    now = next((by_state[state].text for state in standing if state in states), None)
    if "dead_letter" in states and not by_state["dead_letter"].details.get("stale"):
        coming.append("a dead letter")
    if now is None and not coming:
        for state in ("refused", "stale", "queued", "pending", "dead_letter", "ignored"):
            if state in states:
                return by_state[state].text
        return facts[-1].text if facts else "nothing is known of it"
    return "; ".join([*([now] if now else ["not indexed"]), *coming])
