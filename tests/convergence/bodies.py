"""Records of a few repositories that meet each other often: few people, few record keys, few subjects."""

from collections.abc import Callable
from random import Random

from tests.messages import (
    C1,
    C2,
    DISABLE,
    A,
    B,
    C,
    Record,
    blob,
    follow,
    like,
    listitem,
    mention,
    post,
    post_uri,
    postgate,
    quote,
    record,
    repost,
    threadgate,
    uri,
    verification,
)

PEOPLE = (A, B, C)
POSTS = tuple(post_uri(did, f"p{number}") for number in range(3) for did in PEOPLE)
"""A post replies to itself or to one that stands before it here: no two name each other (design.md)."""
LISTS = tuple(uri(did, "app.bsky.graph.list", "l") for did in PEOPLE)
FOREIGN = "foreign"
"""The record key of gates and list items that are not their owner's to write."""

Body = tuple[str, Record]
"""A record's URI and the record."""

_DATES = ("2025-10-20T09:00:00Z", "2025-10-20T12:00:00+02:00", "2031-01-01T00:00:00Z", "0005-01-01T00:00:00Z")
_RULES: tuple[Record, ...] = (
    {"$type": "app.bsky.feed.threadgate#mentionRule"},
    {"$type": "app.bsky.feed.threadgate#followerRule"},
    {"$type": "app.bsky.feed.threadgate#followingRule"},
    {"$type": "app.bsky.feed.threadgate#listRule", "list": LISTS[0]},
    {"$type": "app.bsky.feed.threadgate#listRule", "list": LISTS[1]},
    {"$type": "com.example.rule"},
)
_IMAGE = {"image": blob(1), "alt": "an\0image"}
_UNTYPED = {"image": {"cid": blob(2)["ref"]["$link"], "mimeType": "image/png"}, "alt": ""}
_MEDIA: tuple[Record, ...] = (
    {"$type": "app.bsky.embed.images", "images": []},
    {"$type": "app.bsky.embed.images", "images": [_UNTYPED, _IMAGE]},
    {"$type": "app.bsky.embed.video", "video": blob(3, "video/mp4")},
    {"$type": "app.bsky.embed.external", "external": {"uri": "https://example.com/", "title": "t", "description": "d"}},
)


def _subject(chance: Random) -> str:
    """A post that something points at; two are popular."""
    return chance.choice([*POSTS[:2] * 4, *POSTS])


def _embed(chance: Random, subject: str) -> Record:
    embed = quote(chance.choice([subject] * 5 + [LISTS[0]]), chance.choice((C1, C2)))
    match chance.choice(("quote", "quote", "media", "both")):
        case "media":
            return chance.choice(_MEDIA)
        case "both":
            reference = {"record": embed["record"]}
            return {"$type": "app.bsky.embed.recordWithMedia", "record": reference, "media": chance.choice(_MEDIA)}
    return embed


def a_post(chance: Random) -> Body:
    """A post or a reply: in the right thread, in a wrong one, below a record that is no post, below itself."""
    place = chance.choice([0, 0, 0, 1, 1, *range(len(POSTS))])
    if chance.random() < 0.3:
        return _a_post_at(chance, place)
    others = (LISTS[0], uri(A, "app.bsky.feed.like", "l0"))
    parent = chance.choice(POSTS[:place] * 4 + POSTS[place : place + 1] + others)
    return _a_post_at(chance, place, parent, chance.choice([POSTS[0], POSTS[0], POSTS[0], POSTS[1], parent, parent]))


def _a_post_at(chance: Random, place: int, parent: str | None = None, root: str | None = None) -> Body:
    body = post(
        chance.choice(("", "one", "two", "a\0b", "half \ud800 a pair")),
        parent=parent,
        root=root,
        embed=_embed(chance, _subject(chance)) if chance.random() < 0.4 else None,
        facets=chance.choice([None, None, mention(B), mention(A, C)]),
        tags=chance.choice([None, None, [], ["a\0", "\udfff"]]),
        createdAt=chance.choice(_DATES),
    )
    return POSTS[place], body


def a_like(chance: Random) -> Body:
    via = chance.choice([None, None, uri(B, "app.bsky.feed.repost", "r0")])
    return uri(chance.choice(PEOPLE), "app.bsky.feed.like", _key(chance, "l")), like(_subject(chance), via)


def a_repost(chance: Random) -> Body:
    via = chance.choice([None, None, uri(C, "app.bsky.feed.repost", "r0")])
    return uri(chance.choice(PEOPLE), "app.bsky.feed.repost", _key(chance, "r")), repost(_subject(chance), via)


def _key(chance: Random, prefix: str) -> str:
    return f"{prefix}{chance.randrange(3)}"


def a_thread_gate(chance: Random) -> Body:
    gated = chance.choice([POSTS[0], POSTS[0], POSTS[1], *POSTS])
    allow = chance.choice([None, chance.choices(_RULES, k=chance.randrange(3))])
    hidden = chance.choice([None, chance.choices(POSTS, k=chance.randrange(3))])
    return _sibling(gated, "threadgate"), threadgate(gated, allow=allow, hiddenReplies=hidden)


def a_post_gate(chance: Random) -> Body:
    subject = _subject(chance)
    return _sibling(subject, "postgate"), postgate(subject, embeddingRules=chance.choice([None, [], DISABLE]))


def _sibling(of: str, name: str) -> str:
    return of.replace("app.bsky.feed.post", f"app.bsky.feed.{name}")


def a_relation(chance: Random) -> Body:
    """Records that know duplicates and notify nobody or one person."""
    owner, subject, key = chance.choice(PEOPLE), chance.choice(PEOPLE), _key(chance, "k")
    match chance.choice(("follow", "follow", "listitem", "block", "listblock", "verification")):
        case "listitem":
            return uri(owner, "app.bsky.graph.listitem", key), listitem(LISTS[PEOPLE.index(owner)], subject)
        case "block":
            return uri(owner, "app.bsky.graph.block", key), record("app.bsky.graph.block", subject=subject)
        case "listblock":
            of = chance.choice(LISTS)
            return uri(owner, "app.bsky.graph.listblock", key), record("app.bsky.graph.listblock", subject=of)
        case "verification":
            return uri(owner, "app.bsky.graph.verification", key), verification(
                subject, chance.choice(("Some", "Body"))
            )
    return uri(owner, "app.bsky.graph.follow", key), follow(subject)


def a_profile(chance: Random) -> Body:
    pack = {"uri": uri(B, "app.bsky.graph.starterpack", "s"), "cid": C1}
    said = {
        "$type": "app.bsky.actor.profile",
        "createdAt": chance.choice([*_DATES[:2], None]),
        "displayName": chance.choice([None, "Some\0body"]),
        "joinedViaStarterPack": chance.choice([None, pack]),
    }
    where = uri(chance.choice(PEOPLE), "app.bsky.actor.profile", chance.choice(("self", "self", "other")))
    return where, {name: value for name, value in said.items() if value is not None}


def another(chance: Random) -> Body:
    """A record that only its own URI says anything about."""
    text = chance.choice(("a", "b"))
    bodies = [
        ("l", record("app.bsky.graph.list", name=text, purpose="app.bsky.graph.defs#modlist")),
        ("s", record("app.bsky.graph.starterpack", name=text, list=LISTS[0])),
        ("g", record("app.bsky.feed.generator", did=B, displayName=text)),
        ("self", record("app.bsky.labeler.service", policies={"labelValues": [text]})),
        ("self", record("app.bsky.actor.status", status=text)),
        ("self", record("chat.bsky.actor.declaration", allowIncoming=text)),
    ]
    key, body = chance.choice(bodies)
    return uri(chance.choice(PEOPLE), body["$type"], key), body


def a_foreign_one(chance: Random) -> Body:
    """A gate or list item that is not its owner's to write."""
    owner = chance.choice(PEOPLE)
    body = chance.choice([threadgate(POSTS[0]), postgate(POSTS[1]), listitem(LISTS[0], B)])
    if body["$type"] == "app.bsky.graph.listitem":
        owner = B
    return uri(owner, body["$type"], FOREIGN), body


ANY: tuple[Callable[[Random], Body], ...] = (
    a_post,
    a_like,
    a_repost,
    a_thread_gate,
    a_post_gate,
    a_relation,
    a_profile,
    another,
    a_foreign_one,
)
"""What bodies there are."""


def _a_mixture(chance: Random) -> list[Body]:
    return [chance.choice(ANY)(chance) for _ in range(chance.randint(2, 5))]


def _a_thread(chance: Random) -> list[Body]:
    """Replies below replies, most of them in their thread, and perhaps a gate."""
    above = [0]
    bodies = [_a_post_at(chance, 0)]
    for place in sorted(chance.sample(range(1, len(POSTS)), chance.randint(1, 4))):
        parent = POSTS[chance.choice(above[-2:])]
        bodies.append(_a_post_at(chance, place, parent, chance.choice([POSTS[0]] * 5 + [POSTS[1], parent])))
        above.append(place)
    return bodies + ([a_thread_gate(chance)] if chance.random() < 0.4 else [])


def _duplicates(chance: Random) -> list[Body]:
    """Records of one person about one subject."""
    family = chance.choice((a_like, a_repost, a_repost, a_relation))
    where, body = family(chance)
    return [(f"{where[:-1]}{number}", body) for number in range(chance.randint(2, 3))]


def _a_popular_post(chance: Random) -> list[Body]:
    """A post and what hangs on it."""
    place = chance.randrange(4)
    bodies = [_a_post_at(chance, place)]
    for _ in range(chance.randint(2, 4)):
        match chance.choice(("repost", "quote", "quote", "gates", "like")):
            case "repost":
                bodies.append((a_repost(chance)[0], repost(POSTS[place])))
            case "quote":
                quoting = chance.randrange(place + 1, len(POSTS))
                bodies.append((POSTS[quoting], post("look", embed=_embed(chance, POSTS[place]))))
            case "gates":
                allow: list[Record] | None = chance.choice((None, []))
                rules = chance.choice((None, DISABLE))
                bodies.append((_sibling(POSTS[place], "threadgate"), threadgate(POSTS[place], allow=allow)))
                bodies.append((_sibling(POSTS[place], "postgate"), postgate(POSTS[place], embeddingRules=rules)))
            case "like":
                bodies.append((a_like(chance)[0], like(POSTS[place])))
    return bodies


SCENES: tuple[Callable[[Random], list[Body]], ...] = (_a_mixture, _a_thread, _duplicates, _a_popular_post)
"""Records that have to do with each other; a history has one or a few of them."""
