"""Records of a few repositories that meet each other often: few people, few record keys, few subjects."""

from hypothesis import strategies as st
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

people = st.sampled_from(PEOPLE)
subjects = st.sampled_from([*POSTS[:2] * 3, *POSTS])
"""Posts that something points at; some are popular."""


def _key(prefix: str, number: int) -> st.SearchStrategy[str]:
    return st.integers(0, number - 1).map(lambda n: f"{prefix}{n}")


@st.composite
def _embeds(draw: st.DrawFn) -> Record:
    embed = quote(draw(st.one_of(subjects, st.just(LISTS[0]))), draw(st.sampled_from((C1, C2))))
    match draw(st.sampled_from(("quote", "quote", "media", "both"))):
        case "media":
            return draw(st.sampled_from(_MEDIA))
        case "both":
            media = draw(st.sampled_from(_MEDIA))
            return {"$type": "app.bsky.embed.recordWithMedia", "record": {"record": embed["record"]}, "media": media}
    return embed


@st.composite
def posts(draw: st.DrawFn) -> Body:
    """Posts and replies: in the right thread, in a wrong one, below a record that is no post, below themselves."""
    place = draw(st.sampled_from([0, 0, 0, 1, 1, *range(len(POSTS))]))
    parent = root = None
    if draw(st.integers(0, 3)):
        others = (LISTS[0], like_uri(0))
        parent = draw(st.sampled_from([*POSTS[:place], *POSTS[: place + 1], *others]))
        root = draw(st.sampled_from([POSTS[0], POSTS[0], POSTS[1], parent]))
    body = post(
        draw(st.sampled_from(("", "one", "two", "a\0b", "half \ud800 a pair"))),
        parent=parent,
        root=root,
        embed=draw(st.one_of(st.none(), st.none(), _embeds())),
        facets=draw(st.sampled_from([None, None, mention(B), mention(A, C)])),
        tags=draw(st.sampled_from([None, None, [], ["a\0", "\udfff"]])),
        createdAt=draw(st.sampled_from(_DATES)),
    )
    return POSTS[place], body


def like_uri(number: int) -> str:
    return uri(A, "app.bsky.feed.like", f"l{number}")


@st.composite
def likes(draw: st.DrawFn) -> Body:
    via = draw(st.sampled_from([None, None, uri(B, "app.bsky.feed.repost", "r0")]))
    return uri(draw(people), "app.bsky.feed.like", draw(_key("l", 3))), like(draw(subjects), via)


@st.composite
def reposts(draw: st.DrawFn) -> Body:
    via = draw(st.sampled_from([None, None, uri(C, "app.bsky.feed.repost", "r0")]))
    return uri(draw(people), "app.bsky.feed.repost", draw(_key("r", 3))), repost(draw(subjects), via)


@st.composite
def thread_gates(draw: st.DrawFn) -> Body:
    place = draw(st.sampled_from([0, 0, 1, *range(len(POSTS))]))
    allow = draw(st.one_of(st.none(), st.lists(st.sampled_from(_RULES), max_size=2)))
    hidden = draw(st.one_of(st.none(), st.lists(st.sampled_from(POSTS), max_size=2)))
    return _sibling(POSTS[place], "threadgate"), threadgate(POSTS[place], allow=allow, hiddenReplies=hidden)


@st.composite
def post_gates(draw: st.DrawFn) -> Body:
    subject = draw(subjects)
    return _sibling(subject, "postgate"), postgate(subject, embeddingRules=draw(st.sampled_from([None, [], DISABLE])))


def _sibling(post: str, name: str) -> str:
    return post.replace("app.bsky.feed.post", f"app.bsky.feed.{name}")


@st.composite
def relations(draw: st.DrawFn) -> Body:
    """Records that know duplicates and notify nobody or one person."""
    owner, subject, key = draw(people), draw(people), draw(_key("k", 2))
    match draw(st.sampled_from(("follow", "follow", "listitem", "block", "listblock", "verification"))):
        case "listitem":
            return uri(owner, "app.bsky.graph.listitem", key), listitem(LISTS[PEOPLE.index(owner)], subject)
        case "block":
            return uri(owner, "app.bsky.graph.block", key), record("app.bsky.graph.block", subject=subject)
        case "listblock":
            subject_list = draw(st.sampled_from(LISTS))
            return uri(owner, "app.bsky.graph.listblock", key), record("app.bsky.graph.listblock", subject=subject_list)
        case "verification":
            name = draw(st.sampled_from(("Some", "Body")))
            return uri(owner, "app.bsky.graph.verification", key), verification(subject, name)
    return uri(owner, "app.bsky.graph.follow", key), follow(subject)


@st.composite
def profiles(draw: st.DrawFn) -> Body:
    owner, key = draw(people), draw(st.sampled_from(("self", "self", "other")))
    pack = {"uri": uri(B, "app.bsky.graph.starterpack", "s"), "cid": C1}
    body = record(
        "app.bsky.actor.profile",
        createdAt=draw(st.sampled_from([*_DATES[:2], None])),
        displayName=draw(st.sampled_from([None, "Some\0body"])),
        joinedViaStarterPack=draw(st.sampled_from([None, pack])),
    )
    return uri(owner, "app.bsky.actor.profile", key), {k: v for k, v in body.items() if v is not None}


@st.composite
def others(draw: st.DrawFn) -> Body:
    """Records that only their own URI says anything about."""
    owner, text = draw(people), draw(st.sampled_from(("a", "b")))
    bodies = [
        ("l", record("app.bsky.graph.list", name=text, purpose="app.bsky.graph.defs#modlist")),
        ("s", record("app.bsky.graph.starterpack", name=text, list=LISTS[0])),
        ("g", record("app.bsky.feed.generator", did=B, displayName=text)),
        ("self", record("app.bsky.labeler.service", policies={"labelValues": [text]})),
        ("self", record("app.bsky.actor.status", status=text)),
        ("self", record("chat.bsky.actor.declaration", allowIncoming=text)),
    ]
    key, body = draw(st.sampled_from(bodies))
    return uri(owner, body["$type"], key), body


@st.composite
def foreign(draw: st.DrawFn) -> Body:
    """Gates and list items that are not their owner's to write."""
    owner = draw(people)
    body = draw(st.sampled_from([threadgate(POSTS[0]), postgate(POSTS[1]), listitem(LISTS[0], B)]))
    if body["$type"] == "app.bsky.graph.listitem":
        owner = B
    return uri(owner, body["$type"], FOREIGN), body


FAMILIES = (posts, likes, reposts, thread_gates, post_gates, relations, profiles, others, foreign)
"""What bodies there are; histories are about a few of them each."""
