"""Histories of several repositories: steps that Hypothesis draws and shrinks, and the messages that they are.

Each step stands for itself; what it needs to know of those before it (revs, versions to repeat) is worked out here, so
that leaving out or swapping steps still gives a history.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hypothesis import strategies as st
from tests.convergence.bodies import FAMILIES, FOREIGN, POSTS, Body, posts
from tests.messages import A, B, Record, cid, like, message, post, post_uri, uri

from indexer.source import Message

REV_STEP = 8
"""Between the revs of two steps there is room for stale ones."""


@dataclass(frozen=True, slots=True)
class Write:
    """A record is created, updated or deleted."""

    kind: Literal["create", "update", "delete"]
    uri: str
    record: Record | None
    rev: Literal["next", "same", "again", "stale"] = "next"
    """`same`: that of the message before, as in one commit; `again`: that of the last write of this URI; `stale`: older."""
    late: int = 0
    """How many messages overtake it."""
    backfill: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """An earlier write comes as another message: the same, at another time, or as a renewal under a newer rev."""

    back: int
    how: Literal["same", "later", "earlier", "renewal"]
    backfill: bool = False


@dataclass(frozen=True, slots=True)
class Odd:
    """A message that is refused, ignored or only moves `actor_sync`."""

    name: str


HUGE = "huge"
"""The record key of a record that PostgreSQL refuses."""
NEVER_STORED = (FOREIGN, HUGE)
"""Record keys that nothing else uses: whether the message is refused depends on no other."""

Part = tuple[Body, bool]
"""A record, and whether it is only created, never updated or deleted."""
Step = Write | Again | Odd


@dataclass(frozen=True, slots=True)
class _Sent:
    write: Write
    rev: int
    second: int


def history(steps: Sequence[Step]) -> list[Message]:
    """The messages in stream order."""
    sent: list[_Sent] = []
    last: dict[str, int] = {}
    payloads: list[tuple[int, bytes]] = []
    for position, step in enumerate(steps):
        newest = REV_STEP * (position + 1)
        match step:
            case Odd(name):
                payloads.append((position, _ODD[name]))
            case Again(back, how, backfill) if sent:
                again = _repeated(sent[-1 - back % len(sent)], step, newest, position)
                last[again.write.uri] = max(last[again.write.uri], again.rev)
                payloads.append((position, _payload(again, position, backfill=backfill)))
            case Write():
                before = last.get(step.uri, newest)
                rev = {"next": newest, "same": sent[-1].rev if sent else newest, "again": before, "stale": before - 1}
                write = _Sent(step, rev[step.rev], position)
                sent.append(write)
                last[step.uri] = max(last.get(step.uri, 0), write.rev)
                payloads.append((position + step.late, _payload(write, position, backfill=step.backfill)))
    payloads.sort(key=lambda late: late[0])
    return [Message(b"1761000000000-%d" % number, payload) for number, (_, payload) in enumerate(payloads)]


def _repeated(sent: _Sent, again: Again, newest: int, position: int) -> _Sent:
    match again.how:
        case "later":
            return _Sent(sent.write, sent.rev, position)
        case "earlier":
            return _Sent(sent.write, sent.rev, max(sent.second - 1, 0))
        case "renewal" if sent.write.kind != "delete":
            write = Write("create", sent.write.uri, sent.write.record)
            return _Sent(write, newest, position)
    return sent


def _payload(sent: _Sent, position: int, *, backfill: bool) -> bytes:
    write = sent.write
    fields = {
        "commit": cid(f"commit {position}"),
        "time": f"2025-10-20T10:{sent.second // 60:02}:{sent.second % 60:02}.000Z",
        "seq": -2 if backfill else position,
    }
    if write.record is not None:
        # the CID says what the record is, as on the network
        fields |= {"record": write.record, "cid": cid(json.dumps(write.record, sort_keys=True))}
    return message(write.kind, write.uri, tid(sent.rev), **fields)


def tid(number: int) -> str:
    """A rev of October 2025; they sort by their numbers."""
    return "3m0000000" + "".join("234567abcdefghijklmnopqrstuvwxyz"[number >> shift & 31] for shift in (15, 10, 5, 0))


def _odd(kind: str, uri: str, **fields: object) -> bytes:
    return message(kind, uri, **{"rev": tid(4), "time": "2025-10-20T10:00:00.000Z", "cid": cid("odd"), **fields})  # type: ignore[arg-type]


_TOO_LONG = "".join(cid(number) for number in range(125))
"""Nothing that PostgreSQL could compress below what a row of an index may hold."""
_ODD = {
    "empty": b"",
    "not json": b"{",
    "unknown type": b'{"type":"zzz"}',
    "unknown collection": _odd("create", uri(A, "com.example.record", "x"), record={}, rev=tid(REV_STEP * 3)),
    "repo": _odd("repo", uri(B, "x", "x"), rev=tid(REV_STEP * 4), collection=None, rkey=None),
    "no record": _odd("create", POSTS[0]),
    "bad commit": _odd("create", POSTS[0], record=post(), commit="x"),
    "bad rev": _odd("create", POSTS[0], record=post(), rev="zzzz-not-a-tid"),
    "no rev": _odd("delete", POSTS[0], rev=None),
    "bad uri": _odd("create", post_uri(A, "a b"), record=post()),
    "too long": _odd("create", uri(A, "app.bsky.feed.like", HUGE), record=like(post_uri(B, _TOO_LONG))),
}


@st.composite
def _writes(draw: st.DrawFn, pool: list[Part]) -> Write:
    """Creates, updates and deletes; a delete names the URI only."""
    (where, body), is_calm = draw(st.sampled_from(pool))
    late = draw(st.sampled_from((0, 0, 0, 0, 3, 10)))
    backfill = draw(st.sampled_from((False, False, False, True)))
    if where.endswith(FOREIGN):
        return Write(draw(st.sampled_from(("create", "update"))), where, body, late=late)
    if is_calm:
        return Write("create", where, body, "next", late, backfill)
    kind = draw(st.sampled_from(("create", "create", "create", "update", "delete", "delete")))
    return Write(kind, where, None if kind == "delete" else body, draw(_REVS), late, backfill)


_REVS = st.sampled_from(("next", "next", "next", "next", "next", "same", "again", "stale"))
_AGAIN = st.builds(
    Again, st.integers(0, 9), st.sampled_from(("same", "later", "earlier", "renewal", "renewal")), st.booleans()
)
_ODDITIES = st.builds(Odd, st.sampled_from(sorted(_ODD)))
_NOTHING = st.none()
"""What a step that does not matter shrinks to."""


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """The steps of a history: of a few records of a few families, so that most steps meet what others left."""
    families = draw(st.lists(st.sampled_from(FAMILIES), min_size=1, max_size=4, unique=True))
    bodies = st.one_of(*[family() for family in (posts, *families)], *[family() for family in families] * 2)
    pool = draw(st.lists(st.tuples(bodies, st.booleans()), min_size=3, max_size=12))
    step = st.one_of(_NOTHING, *[_writes(pool)] * 18, *[_AGAIN] * 4, _ODDITIES)
    return [each for each in draw(st.lists(step, min_size=15, max_size=45)) if each is not None]
