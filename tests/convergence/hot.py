"""Messages of a few people about the same few records, without end: everything meets everything."""

import random

from tests.convergence.bodies import LISTS, PEOPLE, POSTS
from tests.convergence.histories import tid
from tests.messages import (
    DISABLE,
    Record,
    cid,
    follow,
    like,
    listitem,
    message,
    post,
    postgate,
    quote,
    repost,
    threadgate,
    uri,
)

FANS = tuple(f"did:plc:{letter * 24}" for letter in "defgh")
HOT = POSTS + tuple(post.replace("/p", "/q") for post in POSTS) + tuple(post.replace("/p", "/r") for post in POSTS[:2])
"""Twenty posts; each replies to itself or to one before it."""


def hot_messages(seed: int, number: int) -> list[bytes]:
    """Messages in an order of chance."""
    chance = random.Random(seed)
    return [_message(chance, position) for position in range(number)]


def _message(chance: random.Random, position: int) -> bytes:
    where, record = _body(chance)
    kind = chance.choices(("create", "update", "delete"), (6, 1, 3))[0]
    said = {"record": record, "cid": cid(str(record))} if kind != "delete" else {}
    return message(
        kind,
        where,
        tid(chance.randrange(1 << 15)),
        commit=cid("commit"),
        time=f"2025-10-20T10:{position // 60 % 60:02}:{position % 60:02}.000Z",
        seq=chance.choice((1, -2)),
        **said,
    )


def _body(chance: random.Random) -> tuple[str, Record]:
    fan, subject = chance.choice(FANS), chance.choice(HOT)
    key = chance.randrange(4)
    match chance.choices(("like", "repost", "post", "gate", "follow", "listitem"), (6, 3, 5, 2, 2, 1))[0]:
        case "like":
            return uri(fan, "app.bsky.feed.like", f"l{key}"), like(subject)
        case "repost":
            return uri(fan, "app.bsky.feed.repost", f"r{key}"), repost(subject)
        case "post":
            place = chance.randrange(len(HOT))
            parent = chance.choice([None, None, *HOT[: place + 1]])
            embed = chance.choice([None, quote(subject)])
            return HOT[place], post(str(key), parent=parent, root=HOT[0] if parent else None, embed=embed)
        case "gate":
            name, gate = chance.choice(
                (
                    ("threadgate", threadgate(subject, allow=chance.choice(([], None)))),
                    ("postgate", postgate(subject, embeddingRules=DISABLE)),
                )
            )
            return subject.replace("app.bsky.feed.post", f"app.bsky.feed.{name}"), gate
        case "listitem":
            owner = chance.randrange(len(PEOPLE))
            return uri(PEOPLE[owner], "app.bsky.graph.listitem", f"i{key}"), listitem(LISTS[owner], fan)
    return uri(fan, "app.bsky.graph.follow", f"f{key}"), follow(chance.choice(PEOPLE))
