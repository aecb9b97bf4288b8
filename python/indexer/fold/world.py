"""What a batch knows of the database while it is folded: the rows that it may touch or must judge by.

`sink/reads.py` fills it, `apply.py` moves it from message to message, `sink/writer.py` writes what became different.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import Any

from indexer.fold.record_type import Key, Notice, RecordType, Version


class Stored:
    """A row of `record`, as the messages read so far leave it."""

    __slots__ = ("changed", "cid", "indexed_at", "json", "rev", "stored")

    def __init__(self, rev: str, cid: str, indexed_at: str, *, stored: bool, json: str | None = None) -> None:
        self.rev = rev
        self.cid = cid
        """Empty in a tombstone."""
        self.indexed_at = indexed_at
        self.stored = stored
        """Whether the database has a row for this URI."""
        self.json = json
        """What to write; None leaves the column as it is."""
        self.changed = not stored


class Group:
    """The live records of a repository with one duplicate key; the one with the lowest rev is indexed (DIV-13)."""

    __slots__ = ("_order", "indexed", "key", "revs")

    def __init__(self, key: Key) -> None:
        self.key = key
        self.revs: dict[str, str] = {}
        """By URI; `put` adds to it, anybody may delete from it."""
        self.indexed: str | None = None
        self._order: list[tuple[str, str]] | None = None
        """A heap of revs and URIs, where there was more than one; also of those that are gone."""

    def put(self, uri: str, rev: str) -> None:
        self.revs[uri] = rev
        if self._order is not None:
            heappush(self._order, (rev, uri))

    def first(self) -> str | None:
        """The URI that ought to be indexed: the lowest rev, then the lowest URI."""
        revs = self.revs
        if len(revs) <= 1:
            return next(iter(revs), None)
        if self._order is None:
            self._order = [(rev, uri) for uri, rev in revs.items()]
            heapify(self._order)
        while True:
            rev, uri = self._order[0]
            if revs.get(uri) == rev:
                return uri
            heappop(self._order)


@dataclass(slots=True)
class Post:
    """A row of `post`, as far as threads need it."""

    uri: str
    parent: str | None
    root: str | None
    invalid: bool | None
    """invalidReplyRoot."""
    violates: bool | None = None
    """violatesThreadGate; known of posts of this batch only."""
    embed_violates: bool | None = None
    value: dict[str, Any] | None = None
    """The record's value; known of posts of this batch only."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply that may have been there before the post above it."""

    uri: str
    parent: str
    cid: str
    created_at: str | None
    indexed_at: str


@dataclass(slots=True)
class Questions:
    """What the messages of a batch want to know, beyond the rows of their own URIs."""

    parents: set[str] = field(default_factory=set)
    """Posts that are replied to: with their ancestors."""
    thread_gates: set[str] = field(default_factory=set)
    post_gates: set[str] = field(default_factory=set)
    mentions: set[str] = field(default_factory=set)
    """Root posts whose mention facets count."""
    pairs: dict[str, set[Key]] = field(default_factory=dict)
    """By table: keys of rows that may be there (`follow`, `list_item`)."""
    replies_below: set[str] = field(default_factory=set)
    """Posts in threads with hidden replies: only there do replies that came too early tell somebody."""
    tells: bool = True
    """Whether the event that asks now adds notifications."""


class World:
    """See the module. Keys are URIs unless said otherwise."""

    def __init__(self, now: str) -> None:
        self.now = now
        """The wall clock, as the reference prints it."""
        self.records: dict[str, Stored] = {}
        self.versions: dict[str, Version] = {}
        """The version of each live record that this batch brought or read back."""
        self.groups: dict[tuple[str, Key], Group] = {}
        """By collection and duplicate key."""
        self.group_of: dict[str, Group] = {}
        self.questions = Questions()
        self.duplicates: dict[str, str] = {}
        """The rows of `duplicate_record` that were read: URI to the record that it points at."""
        self.pairs: dict[str, set[Key]] = {}
        """Answers to `Questions.pairs`: the keys that are there."""
        self.mentions: dict[str, set[str]] = {}
        """Answers to `Questions.mentions`: the DIDs that a post mentions."""
        self.posts: dict[str, Post] = {}
        self.other_parents: dict[str, tuple[bool, str | None]] = {}
        """Parents that are no posts, but live records: whether they have a `reply`, and the root it names."""
        self.replies: dict[str, dict[str, Reply]] = {}
        """Answers to `Questions.replies_below`, by parent and URI."""
        self.thread_gates: dict[str, dict[str, Any]] = {}
        self.post_gates: dict[str, dict[str, Any]] = {}
        self.own_posts: set[str] = set()
        """Posts that this batch wrote or removed: what the database says of them is out of date."""
        self.own_replies: dict[str, set[str]] = {}
        """Replies of this batch by their parent, also those that are gone or have another one now."""
        self.waiting: dict[str, list[Post]] = {}
        """Replies of this batch that are invalid, by their parent."""
        self.indexed: dict[str, RecordType] = {}
        """Records whose rows are to be written anew, or to go."""
        self.attached: dict[str, RecordType] = {}
        """The same for rows that do not depend on being indexed."""
        self.arrivals: dict[str, int] = {}
        """The position of the message that brought the version of a record."""
        self.lives: dict[str, list[tuple[int, str]]] = {}
        """Posts that were deleted or came again: the message's position, and the rev of a deletion, '' of a return.

        Position -1 is a deletion before this batch.
        """
        self.renewed: dict[str, tuple[Version, str, str]] = {}
        """Records that came again under a newer rev and hang on a post once more, as far as this batch can tell: with
        that post, and their indexedAt before.
        """
        self.notices: dict[str, list[Notice]] = {}
        """By the URI of the record that they are about."""
        self.retracted: set[str] = set()
        """Records whose notifications go."""

    def is_live(self, uri: str) -> bool:
        stored = self.records.get(uri)
        return stored is not None and stored.cid != ""

    def tell(self, notices: Iterable[Notice]) -> None:
        for notice in notices:
            self.notices.setdefault(notice.record_uri, []).append(notice)

    def group(self, collection: str, key: Key) -> Group:
        group = self.groups.get((collection, key))
        if group is None:
            group = self.groups[collection, key] = Group(key)
        return group

    def holds(self, table: str, collection: str, key: Key) -> bool:
        """Whether `table` has a row with this duplicate key at this point of the stream."""
        group = self.groups.get((collection, key))
        if group is not None:
            return bool(group.revs)
        return key in self.pairs.get(table, ())

    def thread_of(self, post: str) -> str | None:
        """See `Notice.thread`."""
        if post not in self.own_posts:
            return None
        known = self.posts.get(post)
        return "" if known is None else known.root or post

    def drop_from(self, post: str, rev: str) -> None:
        """The post was deleted: what came again before that, and is older, does not hang on it."""
        for uri in [uri for uri, (_, on, _) in self.renewed.items() if on == post and self.records[uri].rev < rev]:
            del self.renewed[uri]

    def outlived(self, uri: str, post: str) -> bool:
        """Whether `uri`, which hangs on `post`, is older than a deletion that it met in this batch (DIV-18).

        It meets the one that stands when it comes, and those that come after it.
        """
        lives = self.lives.get(post)
        if not lives:
            return False
        arrived, rev = self.arrivals.get(uri, -1), self.records[uri].rev
        met = ""
        for position, deleted in lives:
            if position < arrived:
                met = deleted
            elif deleted > rev:
                return True
        return met > rev
