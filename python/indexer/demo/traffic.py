"""Made-up stream events without end: the network's proportions and skew, seeded, in bounded memory.

    messages = itertools.islice(Traffic(seed=7, hostile=0.01).messages(), 20_000)

Nothing in them was written by anybody: every DID begins with `identifiers.MADE_UP`, every host ends in `.test`. CIDs
are well formed, but are not the hash of the record.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate
from random import Random
from typing import Any, Literal

import orjson

from indexer.demo import hostile, identifiers
from indexer.demo import operations as op
from indexer.demo.network import Commit, Network, Operation
from indexer.demo.posting import plain_post, post

MIX: tuple[tuple[float, op.Action], ...] = (
    (50.5, op.engage("app.bsky.feed.like")),
    (18.5, post),
    (10.0, op.engage("app.bsky.feed.repost")),
    (12.0, op.relate("app.bsky.graph.follow")),
    (4.0, op.delete),
    (1.0, op.relate("app.bsky.graph.block")),
    (1.3, op.profile),
    (0.8, op.list_item),
    (0.2, op.list_),
    (0.5, op.gate),
    (0.1, op.list_block),
    (0.3, op.change),
    (0.5, op.rarely),
)
"""Commits in a hundred and what they do; identity and account events come on top."""
ANNOUNCED = 0.006
"""Share of live events that are identity or account events."""
FIRST_SEQ = 90_000_000_000
REPOSITORY = 150
"""Records of a backfilled repository, on average."""
AGE_US = 30 * 86_400_000_000
"""A backfilled repository is a month old."""

_ACTIONS = [action for _, action in MIX]
_SUMS = list(accumulate(share for share, _ in MIX))


@dataclass(frozen=True, slots=True)
class Message:
    """The text of one stream entry's field `event`, and what is wrong with it, if anything (`hostile.KINDS`)."""

    payload: bytes
    hostile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """How the traffic is to be; the same values give the same messages."""

    seed: int = 1
    """Of every random choice, the accounts' DIDs included."""
    form: Literal["live", "backfill"] = "live"
    """`live`: the firehose, with a seq. `backfill`: one repository after the other, of accounts that the live form does
    not have, with seq -2 and a `repo` event at the end of each (streams.md 3.1)."""
    accounts: int = 4_000
    """How many accounts there are to write (live form) and to be followed (both)."""
    hostile: float = 0.0
    """Share of messages that are broken on purpose, less than 1."""
    start: datetime = datetime(2026, 7, 4, 15, tzinfo=UTC)
    """The time of the first event. Revs are made of it: an indexer whose clock is behind it refuses them."""
    rate: float = 500.0
    """Commits in a second of the made-up time."""

    def messages(self) -> Iterator[Message]:
        """The stream, endless. Memory does not grow with it; what it grows with is `accounts`."""
        random = Random(f"{self.seed}/{self.form}")
        network = Network(random, self.seed, self.accounts)
        events = self._live(network) if self.form == "live" else self._backfill(network)
        extra = self.hostile / (1 - self.hostile)
        for event in events:
            if extra and random.random() < extra:
                yield _broken(network, event)
            yield Message(orjson.dumps(event))

    def _live(self, network: Network) -> Iterator[dict[str, Any]]:
        random, seq, us = network.random, FIRST_SEQ, self._start_us()
        while True:
            us += 1 + int(random.expovariate(self.rate) * 1_000_000)
            seq += random.randrange(1, 20)  # what is not for an indexer has a seq, too
            if random.random() < ANNOUNCED:
                yield _announced(network, seq, us)
            else:
                commit = _drawn(network, us)
                yield from _events(network, commit.author, commit.operations, network.tid(us), seq, us)

    def _backfill(self, network: Network) -> Iterator[dict[str, Any]]:
        random, author, us = network.random, self.accounts, self._start_us()
        while True:
            network.begin_repository(author)
            size = 1 + int(random.expovariate(1 / REPOSITORY))
            records: list[Operation] = []
            while len(records) < size:
                written = us - AGE_US + len(records) * 60_000_000
                records += [done for done in _drawn(network, written).operations if done.type == "create"]
            records.sort(key=lambda record: (record.collection, record.rkey))  # as a repository's tree has them
            rev = identifiers.tid(us)
            last: dict[str, Any] = {}
            for last in _events(network, author, records, rev, -2, us):
                yield last
            yield {"type": "repo", "did": last["did"], "rev": rev, "commit": last["commit"], "time": last["time"]}
            author, us = author + 1, us + int(size / self.rate * 1_000_000) + 1

    def _start_us(self) -> int:
        return int(self.start.timestamp() * 1_000_000)


def _drawn(network: Network, us: int) -> Commit:
    """The next commit; what cannot be done yet (a like before there is a post) is drawn again."""
    while True:
        [action] = network.random.choices(_ACTIONS, cum_weights=_SUMS)
        if commit := action(network, us):
            return commit


def _events(
    network: Network, author: int, operations: Iterable[Operation], rev: str, seq: int, us: int
) -> Iterator[dict[str, Any]]:
    """The events of one commit: seq, time, commit and rev are the same in all of them (streams.md 3)."""
    commit = {
        "seq": seq,
        "time": identifiers.timestamp(us),
        "did": network.did(author),
        "commit": identifiers.record_cid(network.random),
        "rev": rev,
    }
    for done in operations:
        record = {} if done.record is None else {"record": done.record, "cid": done.cid}
        yield {"type": done.type, **record, **commit, "collection": done.collection, "rkey": done.rkey}


def _announced(network: Network, seq: int, us: int) -> dict[str, Any]:
    did = network.did(network.active())
    event = {"seq": seq, "time": identifiers.timestamp(us), "did": did}
    if network.random.random() < 0.6:
        return {"type": "identity", **event, "handle": f"{did[-8:]}.madeup.test"}
    if network.random.random() < 0.9:
        return {"type": "account", **event, "active": True}
    return {"type": "account", **event, "active": False, "status": "deactivated"}


def _broken(network: Network, beside: dict[str, Any]) -> Message:
    """A message that is broken in one way, otherwise like its neighbour `beside`: a post of its own in that commit."""
    kind = hostile.drawn(network.random)
    us = int(datetime.fromisoformat(beside["time"]).timestamp() * 1_000_000)
    commit = plain_post(network, us)
    seq = beside.get("seq", -2)
    [event] = _events(network, commit.author, commit.operations, identifiers.tid(us), seq, us)
    return Message(kind.make(network.random, event), kind.name)
