"""Where the portions of a sample begin: spread over a primary key, found without reading the table."""

import random
from collections.abc import Callable

from indexer.commands.verify.finding import Check
from indexer.commands.verify.statements import VerifyStatements
from indexer.connections.database import Connection

LEAST_ROWS = 10_000
"""Of a table that are looked at anyhow: a percent of a small one says nothing."""

_BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
Start = str | int
"""A key, there or not; the portion is what follows it."""


async def starts(
    connection: Connection, statements: VerifyStatements, check: Check
) -> Callable[[random.Random], Start]:
    """A function that draws places. By the statistics of the column; without them by what DIDs look like."""
    if check.numbered:
        most = max(await connection.fetchval(statements["most_id"]) or 0, 0)
        return lambda chance: chance.randrange(int(most) + 1)
    name = statements.schema_name
    bounds: list[str] | None = await connection.fetchval(statements["bounds"], name, check.table, check.column)
    if not bounds or len(bounds) < 2:
        scheme = "" if check.column == "did" else "at://"
        return lambda chance: f"{scheme}did:plc:{''.join(chance.choices(_BASE32, k=24))}"

    def draw(chance: random.Random) -> Start:
        place = chance.randrange(len(bounds) - 1)
        return between(bounds[place], bounds[place + 1], chance)

    return draw


def between(low: str, high: str, chance: random.Random) -> str:
    """Some text from `low` on that is not above `high`, in the order of bytes."""
    same = 0
    while same < len(low) and same < len(high) and low[same] == high[same]:
        same += 1
    first = ord(low[same]) if same < len(low) else 0x20
    last = ord(high[same]) if same < len(high) else first
    if last - first < 2:
        # the next letters decide: something behind the lower one
        return low[: same + 1] + "".join(chance.choices(_BASE32, k=6)) if chance.random() < 0.5 else low
    return low[:same] + chr(chance.randrange(first + 1, last)) + "".join(chance.choices(_BASE32, k=6))
