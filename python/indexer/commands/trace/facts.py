"""What is known of a record or an account: facts with a time, each from one place."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from indexer._native import is_valid
from indexer.errors import ConfigError
from indexer.fold import aturi
from indexer.fold.tid import LATEST_MS
from indexer.records import RECORDS
from indexer.terminal import readable
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
        """ConfigError where it is neither a record's URI nor a DID. What a producer got wrong in one can be traced."""
        path = text.removeprefix(aturi.SCHEME).partition("#")[0].partition("?")[0]
        did, *parts = path.removesuffix("/").split("/")
        remedy = "give at://did:plc:…/app.bsky.feed.post/3k…, or a DID alone"
        if not path.isprintable():
            cause = "it has characters that no URI has"
        elif not did.startswith("did:"):
            cause = "it begins with no DID: records are named by the DID of their account, not by a handle"
            remedy += "; the table `actor` knows the DIDs of handles"
        elif not all(did.split(":", 2)) or did.count(":") < 2:
            cause = "its DID is cut off"
        elif len(parts) == 0 or (len(parts) == 2 and all(parts) and text.startswith(aturi.SCHEME)):
            return cls(did, *parts)
        else:
            cause = "a record's URI is at://, a DID, a collection and a record key"
        raise ConfigError(f"{readable(text)} is neither a record nor an account", cause, remedy)

    @property
    def is_valid(self) -> bool:
        """Whether messages may name it so: otherwise they are dead letters."""
        return is_valid("at-uri", self.uri) if self.collection else is_valid("did", self.did)

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
