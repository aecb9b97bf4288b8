"""Histories of several repositories: steps that Hypothesis draws and shrinks, and the messages that they are.

Hypothesis draws bytes, and a step follows from two of them alone. Drawn as values, most histories come out alike: it
repeats what it drew, 400 of them had but 60 beginnings. What a step needs to know of those before it (revs, versions to
repeat) is worked out later, so that a history stays one whatever step is left out; the bytes 0, 0 are such a step.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from hypothesis import strategies as st

from indexer.lane.source import Message
from tests.convergence.bodies import FOREIGN, PEOPLE, POSTS, SCENES, Body
from tests.messages import A, B, Record, account, cid, like, message, post, post_uri, uri

Kind = Literal["create", "update", "delete"]
Rev = Literal["next", "same", "again", "stale"]
How = Literal["same", "later", "earlier", "renewal"]

REV_STEP = 8
"""Between the revs of two steps there is room for stale ones."""
WITH_ACCOUNTS = 0.25
"""Share of the histories in which accounts come and go."""


@dataclass(frozen=True, slots=True)
class Write:
    """A record is created, updated or deleted."""

    kind: Kind
    uri: str
    record: Record | None
    rev: Rev = "next"
    """`same`: that of the message before, as in one commit; `again`: of the last write of this URI; `stale`: older."""
    late: int = 0
    """How many messages overtake it."""
    backfill: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """An earlier write comes as another message: the same, at another time, or as a renewal under a newer rev."""

    back: int
    how: How
    backfill: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """An account event."""

    did: str
    active: bool | None
    status: str | None
    final: bool = False
    """Of a deletion: what the account still writes is from before it."""
    zone: str = "Z"
    late: int = 0


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
Step = Write | Again | Standing | Odd


@dataclass(frozen=True, slots=True)
class _Sent:
    write: Write
    rev: int
    second: int


def history(steps: Sequence[Step]) -> list[Message]:
    """The messages in stream order."""
    sent: list[_Sent] = []
    last: dict[str, int] = {}
    died: dict[str, int] = {}
    final: dict[str, int] = {}
    payloads: list[tuple[int, bytes]] = []
    for position, step in enumerate(steps):
        match step:
            case Odd(name):
                payloads.append((position, _ODD[name]))
            case Standing(did):
                if step.active is False and (step.status or "").lower() == "deleted":
                    died[did] = position
                    if step.final:
                        final.setdefault(did, position)
                payloads.append((position + step.late, _account(step, position)))
            case Again(back, _, backfill) if sent:
                of = sent[-1 - back % len(sent)]
                newest, second = _now(of.write.uri, position, final)
                again = _repeated(of, step, newest, second, died.get(_did(of.write.uri), -1))
                last[again.write.uri] = max(last[again.write.uri], again.rev)
                payloads.append((position, _payload(again, position, backfill=backfill)))
            case Write():
                newest, second = _now(step.uri, position, final)
                before = last.get(step.uri, newest)
                revs = {"next": newest, "same": sent[-1].rev if sent else newest, "again": before, "stale": before - 1}
                # what is newer than the deletion of its account has a greater rev than what is not
                least = REV_STEP * (died.get(_did(step.uri), -1) + 1) + 1
                rev = revs[step.rev] if least <= revs[step.rev] <= newest else newest
                write = _Sent(step, rev, second)
                sent.append(write)
                last[step.uri] = max(last.get(step.uri, 0), write.rev)
                payloads.append((position + step.late, _payload(write, position, backfill=step.backfill)))
    payloads.sort(key=lambda late: late[0])
    return [Message(b"1761000000000-%d" % number, payload) for number, (_, payload) in enumerate(payloads)]


def _did(uri: str) -> str:
    return uri.split("/")[2]


def _now(uri: str, position: int, final: dict[str, int]) -> tuple[int, int]:
    """The rev and the second of a step; of an account that is gone for good those before its end."""
    position = min(position, final.get(_did(uri), position + 1) - 1)
    return REV_STEP * (position + 1), max(position, 0)


def _repeated(sent: _Sent, again: Again, newest: int, second: int, died: int) -> _Sent:
    match again.how:
        case "later" if sent.second > died:
            return _Sent(sent.write, sent.rev, second)
        case "earlier":
            return _Sent(sent.write, sent.rev, max(sent.second - 1, 0))
        case "renewal" if sent.write.kind != "delete":
            write = Write("create", sent.write.uri, sent.write.record)
            return _Sent(write, newest, second)
    return sent


def _account(step: Standing, position: int) -> bytes:
    """An account event; times are instants, in whatever zone."""
    fields = {"active": step.active, "status": step.status}
    time = _time(position, step.zone)
    return account(step.did, time, **{name: value for name, value in fields.items() if value is not None})


def _time(second: int, zone: str = "Z") -> str:
    hour = 12 if zone == "+02:00" else 10
    return f"2025-10-20T{hour}:{second // 60:02}:{second % 60:02}.000{zone}"


def _payload(sent: _Sent, position: int, *, backfill: bool) -> bytes:
    write = sent.write
    fields = {
        "commit": cid(f"commit {position}"),
        "time": _time(sent.second),
        "seq": -2 if backfill else position,
    }
    if write.record is not None:
        # the CID says what the record is, as on the network
        fields |= {"record": write.record, "cid": cid(json.dumps(write.record, sort_keys=True))}
    return message(write.kind, write.uri, tid(sent.rev), **fields)


def tid(number: int) -> str:
    """A rev of October 2025: that of the step `number / REV_STEP - 1` is a TID of its time."""
    micros = 1_760_954_400_000_000 + (number - REV_STEP) * 1_000_000 // REV_STEP
    return "".join("234567abcdefghijklmnopqrstuvwxyz"[micros << 10 >> shift & 31] for shift in range(60, -1, -5))


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


@dataclass(frozen=True, slots=True)
class _Pool:
    """What a history is about: few records, so that most steps meet what others left, and often accounts that end."""

    parts: list[Part]
    accounts: tuple[str, ...]
    final: bool


def _pool(chance: Random) -> _Pool:
    parts: list[Part] = []
    for _ in range(chance.randint(1, 3)):
        calm = chance.choice((0.2, 0.9))
        parts += [(body, chance.random() < calm) for body in chance.choice(SCENES)(chance)]
    accounts = tuple(chance.sample(PEOPLE, chance.randint(1, 2))) if chance.random() < WITH_ACCOUNTS else ()
    return _Pool(parts, accounts, chance.random() < 0.5)


def _standing(pool: _Pool, chance: Random) -> Standing:
    did, late = chance.choice(pool.accounts), chance.choice((0, 0, 3, 10))
    active, status = chance.choice(
        [(False, "deleted")] * 3
        + [(False, "Deleted"), (False, "suspended"), (False, "TakenDown"), (False, "deactivated")]
        + [(True, None), (True, "active"), (True, "deleted"), (False, "throttled"), (None, "suspended"), (False, None)]
    )
    return Standing(did, active, status, pool.final, chance.choice(("Z", "Z", "+02:00", "?")) if active else "Z", late)


def _step(pool: _Pool, chance: Random) -> Step:
    if pool.accounts and chance.random() < 0.15:
        return _standing(pool, chance)
    match chance.choices(("write", "again", "odd"), (18, 4, 1))[0]:
        case "again":
            how: How = chance.choice(("same", "later", "earlier", "renewal", "renewal"))
            return Again(chance.randrange(10), how, backfill=chance.random() < 0.5)
        case "odd":
            return Odd(chance.choice(sorted(_ODD)))
    (where, body), is_calm = chance.choice(pool.parts)
    late = chance.choice((0, 0, 0, 0, 3, 10))
    backfill = chance.random() < 0.25
    if where.endswith(FOREIGN):
        return Write(chance.choice(("create", "update")), where, body, late=late)
    if is_calm:
        return Write("create", where, body, "next", late, backfill)
    kind: Kind = chance.choice(("create", "create", "create", "update", "delete", "delete"))
    rev: Rev = chance.choice(("next", "next", "next", "next", "next", "same", "again", "stale"))
    return Write(kind, where, None if kind == "delete" else body, rev, late, backfill)


def _steps(drawn: bytes) -> list[Step]:
    numbers = memoryview(drawn + bytes(len(drawn) % 2)).cast("H")
    parts = _pool(Random(numbers[0]))
    return [_step(parts, Random(number)) for number in numbers[1:] if number]


histories: st.SearchStrategy[list[Step]] = st.binary(min_size=50, max_size=100).map(_steps)
"""The steps of a history: two bytes each, after two for the records that it is about."""
