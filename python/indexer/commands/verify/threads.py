"""Whether replies belong to the threads that they name (records.md 6.1, DIV-12)."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from indexer.commands.verify.finding import Check, Finding, Look
from indexer.connections.database import Connection
from indexer.fold import aturi
from indexer.fold.world import Post, World
from indexer.records.post.threads import has_invalid_root, reply_of
from indexer.sink.derive import DerivedKeys

if TYPE_CHECKING:
    from indexer.commands.verify.mend import Mend

KIND = "post.invalidReplyRoot"
DIV_12 = "DIV-12: the reference judges a reply once, also one that came before its parent"
DEEPEST = 100
"""Parents above each other whose own flags are judged for a reply."""


def checks() -> Iterator[Check]:
    """One."""
    yield Check("post", "uri", (KIND,), find, _mend, "post.threads")


async def find(look: Look, uris: Sequence[str], depth: int = 0) -> list[Finding]:
    """Replies that are judged otherwise than their parents say now.

    A parent that was deleted says nothing any more; one that was renewed after the reply may have said something else.
    """
    replies = await look.fetch("replies_looked_at", uris)
    others = sorted({row["parent"] for row in replies if not row["is_post"] and row["is_live"]})
    texts = dict(await look.fetch("record_json", others)) if others else {}
    gone = sorted({aturi.authority(row["parent"]) for row in replies if not row["is_known"]})
    removed = {did for did, _ in await look.fetch("removals", gone)} if gone and look.has_own else set()
    ought_to_be = {
        row["uri"]: ought
        for row in replies
        if (row["is_live"] or not row["is_known"]) and (ought := _is_invalid(row, texts)) != bool(row["invalid"])
    }
    # a parent with a wrong flag itself says nothing
    above = sorted({row["parent"] for row in replies if row["uri"] in ought_to_be and row["is_post"]} - {*uris})
    wrong_above = {one.key for one in await find(look, above, depth + 1)} if above and depth < DEEPEST else set()
    found = []
    for row in replies:
        if row["uri"] not in ought_to_be or row["parent"] in wrong_above:
            continue
        ought = ought_to_be[row["uri"]]
        uri, dids = row["uri"], (aturi.authority(row["parent"]),)
        if not ought:
            came = row["parent_at"] or row["record_at"] or ""
            known = DIV_12 if row["at"] <= came else None
            found.append(
                Finding(KIND, uri, uri, "is true, and its parent says that the thread is right", known, dids=dids)
            )
        elif not row["is_known"] and dids[0] in removed:
            continue
        elif not row["is_known"] or (row["parent_rev"] or "") <= (row["rev"] or ""):
            why = "its parent is missing" if not row["is_known"] else "its parent says that the thread is wrong"
            found.append(Finding(KIND, uri, uri, f"is not true, and {why}", dids=dids))
    wrong = {one.key for one in found}
    parents = {row["uri"]: row["parent"] for row in replies}
    return [one for one in found if parents[one.key] not in wrong]


def _is_invalid(row: Any, texts: dict[str, str]) -> bool:
    world = World("")
    parent = row["parent"]
    if row["is_post"]:
        world.posts[parent] = Post(parent, row["above"], row["parent_root"], row["parent_invalid"])
    elif parent in texts:
        world.other_parents[parent] = reply_of(texts[parent])
    return has_invalid_root(Post(row["uri"], parent, row["root"], None), world)


async def _mend(mend: "Mend", findings: Sequence[Finding]) -> Counter[str]:
    """Those that turn out to be right as the second run of the writer does it; then what is below them."""
    uris, changed = sorted({one.key for one in findings}), 0

    async def judge(connection: Connection) -> int:
        await connection.execute(mend.statements["lock_posts"], uris)
        found = await find(Look(connection, mend.statements, 0), uris)
        wrong = sorted(one.key for one in found if one.detail.startswith("is not"))
        if wrong:
            await connection.execute(mend.statements["set_invalid"], wrong)
        return len(found)

    async def below(connection: Connection) -> list[Finding]:
        look = Look(connection, mend.statements, 0)
        replies = sorted(row[0] for row in await look.fetch("replies_of", uris))
        return [one for one in await find(look, replies) if one.mendable] if replies else []

    for _ in range(DEEPEST):
        if not uris:
            break
        changed += await mend.run(judge)
        await mend.derive(DerivedKeys(posts=set(uris)))
        uris = sorted({one.key for one in await mend.run(below)})
    return Counter({KIND: changed})
