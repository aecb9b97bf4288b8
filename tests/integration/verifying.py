"""`verify` and `reconcile` on a database, without their commands; and a small world with a row in every table."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager

from indexer.commands.verify.checks import all_checks
from indexer.commands.verify.finding import Check, Finding, selected
from indexer.commands.verify.reconciliation import Reconciliation
from indexer.commands.verify.statements import VerifyStatements
from indexer.commands.verify.walk import Pace, Walker
from indexer.connections.database import open_pool
from tests import messages as m
from tests.messages import A, B, C, D

Found = dict[str, set[str]]
"""Keys by class."""

POST, REPLY, QUOTING, DEEP, LONELY, MEDIA, GONE = (
    m.post_uri(A, "post"), m.post_uri(B, "reply"), m.post_uri(C, "quoting"), m.post_uri(C, "deep"),
    m.post_uri(D, "lonely"), m.post_uri(A, "media"), m.post_uri(B, "gone"),
)  # fmt: skip
LIKE, TWIN, THIRD = m.like_uri(B, "1like"), m.like_uri(B, "2twin"), m.like_uri(B, "3third")
REPOST, FOLLOW = m.repost_uri(C, "repost"), m.uri(B, "app.bsky.graph.follow", "follow")
GATE, POSTGATE = m.uri(A, "app.bsky.feed.threadgate", "post"), m.uri(A, "app.bsky.feed.postgate", "post")
LIST, ITEM = m.uri(A, "app.bsky.graph.list", "list"), m.uri(A, "app.bsky.graph.listitem", "item")
PROFILE, NAMELESS = (m.uri(did, "app.bsky.actor.profile", "self") for did in (A, B))
VIDEO, OWN, UNGATED = m.post_uri(D, "video"), m.post_uri(A, "own"), m.post_uri(C, "ungated")
BLOCK, LISTBLOCK = m.uri(A, "app.bsky.graph.block", "b"), m.uri(A, "app.bsky.graph.listblock", "b")
PACK, GENERATOR = m.uri(A, "app.bsky.graph.starterpack", "p"), m.uri(A, "app.bsky.feed.generator", "g")
LABELER, VERIFICATION = m.uri(A, "app.bsky.labeler.service", "self"), m.uri(A, "app.bsky.graph.verification", "v")
GHOST = "did:plc:ghost"


def world() -> list[bytes]:
    """Messages whose rows are planted with faults."""
    images = {"$type": "app.bsky.embed.images", "images": [{"image": m.blob(n), "alt": f"{n}"} for n in range(2)]}
    external = {"uri": "https://a.test", "title": "t", "description": "d"}
    created = {
        POST: m.post("hello", langs=["en", "de"], tags=["one"]),
        REPLY: m.post("re", parent=POST),
        DEEP: m.post("re re", parent=REPLY, root=POST),
        LONELY: m.post("re nothing", parent=m.post_uri(GHOST, "never")),
        QUOTING: m.post("look", embed=m.quote(POST)),
        MEDIA: m.post("seen", embed=images),
        m.post_uri(A, "link"): m.post("read", embed={"$type": "app.bsky.embed.external", "external": external}),
        VIDEO: m.post("film", embed={"$type": "app.bsky.embed.video", "video": m.blob("v", "video/mp4")}),
        OWN: m.post("and so on", parent=POST),
        UNGATED: m.post("seen too", parent=MEDIA),
        GONE: m.post("bye"),
        LIKE: m.like(POST), TWIN: m.like(POST), THIRD: m.like(POST), m.like_uri(C, "l"): m.like(POST),
        REPOST: m.repost(POST),
        FOLLOW: m.follow(A), m.uri(C, "app.bsky.graph.follow", "f"): m.follow(A),
        GATE: m.threadgate(POST), POSTGATE: m.postgate(POST),
        LIST: m.record("app.bsky.graph.list", name="people", purpose="app.bsky.graph.defs#curatelist"),
        ITEM: m.listitem(LIST, B),
        PROFILE: m.record("app.bsky.actor.profile", displayName="Ann"),
        NAMELESS: m.record("app.bsky.actor.profile", createdAt=None),
        BLOCK: m.record("app.bsky.graph.block", subject=D),
        LISTBLOCK: m.record("app.bsky.graph.listblock", subject=LIST),
        PACK: m.record("app.bsky.graph.starterpack", name="pack", list=LIST),
        GENERATOR: m.record("app.bsky.feed.generator", did="did:web:feed.test", displayName="feed"),
        LABELER: m.record("app.bsky.labeler.service", policies={"labelValues": ["spam"]}),
        VERIFICATION: m.verification(B),
    }  # fmt: skip
    made = [m.create(uri, record, m.REVS[n], m.cid(uri)) for n, (uri, record) in enumerate(created.items(), 10)]
    return [*made, m.delete(GONE, m.REVS[100])]


@asynccontextmanager
async def walking(database: str, *only: str) -> AsyncIterator[Walker]:
    """A `Walker` that does not rest."""
    pool = await open_pool(database, "verify", 1, 2, None)
    try:
        yield Walker(pool, VerifyStatements("public"), Pace(0), only)
    finally:
        await pool.close()


def checks(walker: Walker) -> list[Check]:
    return [check for check in all_checks() if any(selected(kind, walker.only) for kind in check.kinds)]


async def findings(walker: Walker, sample: float = 1.0) -> list[Finding]:
    """All that `verify` finds."""
    found: list[Finding] = []
    for check in checks(walker):
        rows = await walker.estimate(check)
        async for _, some in walker.walk(check, sample, 1, None, rows):
            found += some
    return found


async def verify(database: str, *only: str) -> Found:
    """What `verify` finds, known differences too."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    async with walking(database, *only) as walker:
        for one in await findings(walker):
            found[one.kind].add(one.key)
    return dict(found)


async def reconcile(
    database: str, only: Sequence[str] = (), *, dry_run: bool = False, may_leave: Collection[str] = ()
) -> Counter[str]:
    """What `reconcile` changes."""
    async with walking(database, *only) as walker:
        run = Reconciliation(walker, checks(walker), 1.0, dry_run=dry_run)
        await run.all(asyncio.Event())
        assert [one for one in run.left if one.kind not in may_leave] == []
        return run.changed
