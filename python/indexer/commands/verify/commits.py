"""Commit tracking that stands still. Nothing says what it ought to be: backfill moves records and not this."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from indexer import _native
from indexer.commands.verify.finding import Check, Finding, Look
from indexer.connections.database import Connection
from indexer.sink.stale import rev_after

if TYPE_CHECKING:
    from indexer.commands.verify.mend import Mend

DAY_MS = 86_400_000
REVS = "DIV-2: the reference takes any rev, also none, or one in the future"


def checks() -> Iterator[Check]:
    """One."""
    yield Check("actor_sync", "did", ("actor_sync.frozen", "actor_sync.commit"), _find, _mend, "actor_sync")


async def _find(look: Look, dids: Sequence[str]) -> list[Finding]:
    limit = rev_after(look.now_ms + DAY_MS)
    found = []
    for did, rev, commit in await look.fetch("commit_rows", dids):
        if rev is None or rev > limit:
            found.append(Finding("actor_sync.frozen", did, did, f"no event renews the rev {rev}", REVS))
        elif not _native.is_valid("cid", commit):
            found.append(Finding("actor_sync.commit", did, did, "commitCid is no CID"))
    return found


async def _mend(mend: "Mend", findings: Sequence[Finding]) -> Counter[str]:
    """A rev that the next commit passes. Without records or a commit the row goes: the next commit writes it."""
    dids = sorted({one.key for one in findings})
    invalid = sorted({one.key for one in findings if one.kind == "actor_sync.commit"})

    async def thaw(connection: Connection) -> None:
        limit = rev_after(mend.walker.now_ms() + DAY_MS)
        await connection.execute(mend.statements["lock_commit_rows"], dids)
        await connection.execute(mend.statements["thaw_commits"], dids, limit)
        await connection.execute(mend.statements["drop_commit_rows"], dids, invalid)

    await mend.run(thaw)
    return Counter(one.kind for one in findings)
