"""The made-up network: its accounts, and what of their records others can still refer to."""

from dataclasses import dataclass
from random import Random
from typing import Any

from indexer.demo import identifiers
from indexer.demo.memory import Kept, Pool, Post, Posts, zipf


@dataclass(slots=True)
class Operation:
    """One record written or deleted."""

    type: str
    """`create`, `update` or `delete`."""
    collection: str
    rkey: str
    record: dict[str, Any] | None = None
    cid: str | None = None


@dataclass(frozen=True, slots=True)
class Commit:
    """What one account did at once."""

    author: int
    operations: list[Operation]


class Network:
    """The accounts, by number, and what they have written lately."""

    def __init__(self, random: Random, seed: int, accounts: int) -> None:
        self.random = random
        self.accounts = accounts
        self.posts = Posts()
        self.lists: Pool[Kept] = Pool(500)
        self.gateable: Pool[Kept] = Pool(500)
        """Posts that begin a thread and have no gate yet."""
        self.deletable: Pool[Kept] = Pool(20_000)
        self.changeable: Pool[Kept] = Pool(2_000)
        self._seed = seed
        self._writer: int | None = None
        self._written: set[tuple[int, str]] = set()
        self._chosen: set[tuple[str, str]] = set()
        self._last_us = 0

    def begin_repository(self, writer: int) -> None:
        """From now on one account writes everything, into a repository that is still empty."""
        self._writer = writer
        self._written.clear()
        self._chosen.clear()
        self._last_us = 0
        self.lists, self.gateable = Pool(500), Pool(500)

    def did(self, account: int) -> str:
        return identifiers.did(self._seed, account)

    def active(self) -> int:
        """Who writes: some accounts far more than others, and not those that everybody follows."""
        if self._writer is not None:
            return self._writer
        drawn = self.random.random()
        return self.accounts - 1 - int(self.accounts * drawn * drawn)

    def popular(self) -> int:
        """Whom others follow, mention and block: mostly a few accounts."""
        return zipf(self.random, self.accounts)

    def tid(self, us: int) -> str:
        """A TID that is greater than every one before it in this repository, and as near to the time as that allows."""
        self._last_us = max(us, self._last_us + 1)
        return identifiers.tid(self._last_us, self.random.randrange(1024))

    def reference(self, post: Post) -> dict[str, str]:
        """The post as a record refers to it."""
        return {"cid": post.cid, "uri": post.uri}

    def operation(self, type_: str, collection: str, rkey: str, record: dict[str, Any]) -> Operation:
        return Operation(type_, collection, rkey, record, identifiers.record_cid(self.random))

    def create(self, author: int, collection: str, rkey: str, record: dict[str, Any], pool: Pool[Kept]) -> Commit:
        """A commit that creates one record and remembers it in `pool`."""
        pool.add(Kept(author, collection, rkey), self.random)
        return Commit(author, [self.operation("create", collection, rkey, record)])

    def chooses(self, collection: str, subject: str) -> bool:
        """Whether the writer of a repository has not liked, followed, ... the subject before."""
        if self._writer is None:
            return True  # two of a live author's choices rarely meet, and should meet now and then
        seen = (collection, subject) in self._chosen
        self._chosen.add((collection, subject))
        return not seen

    def write_self(self, author: int, collection: str, record: dict[str, Any]) -> Commit:
        """A commit of the one record that an account has of a collection: created once, then updated.

        Most accounts of the live form had theirs before the stream began.
        """
        known = self._writer is None and self.random.random() < 0.6
        first = (author, collection) not in self._written and not known
        self._written.add((author, collection))
        return Commit(author, [self.operation("create" if first else "update", collection, "self", record)])
