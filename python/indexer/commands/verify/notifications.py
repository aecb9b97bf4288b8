"""Notifications of records that are gone. What else there ought to be depends on a moment, and on who muted what."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from indexer.commands.verify.finding import Check, Finding, Look
from indexer.connections.database import Connection

if TYPE_CHECKING:
    from indexer.commands.verify.mend import Mend

KIND = "notification.orphan"


def checks() -> Iterator[Check]:
    """One."""
    yield Check("notification", "id", (KIND,), _find, _mend, "notification")


async def _find(look: Look, ids: Sequence[int]) -> list[Finding]:
    return [
        Finding(
            KIND,
            f"{uri} ({reason}, id {number})",
            number,
            "its post is deleted" if known else "there is no such record",
        )
        for number, uri, reason, known in await look.fetch("notifications_of_nothing", ids)
    ]


async def _mend(mend: "Mend", findings: Sequence[Finding]) -> Counter[str]:
    ids = sorted({one.at for one in findings})

    async def drop(connection: Connection) -> int:
        still = [row[0] for row in await connection.fetch(mend.statements["notifications_of_nothing"], ids)]
        done = await connection.execute(mend.statements["drop_notifications"], still)
        return int(done.rpartition(" ")[2])

    return Counter({KIND: await mend.run(drop)})
