"""The invariants of derived state, as the oracle's judge states them (tests/oracle/compare.py, part 2)."""

import importlib
from collections.abc import Collection
from typing import Any

from indexer.connections.database import Pool

_judge: Any = importlib.import_module("tests.oracle.compare")


async def broken(pool: Pool, changed: Collection[str] = ()) -> dict[str, list[tuple[Any, ...]]]:
    """By name, the rows that break an invariant.

    `changed` names records that had more than one version: replies below them are not judged.
    """
    found = {name: [tuple(row) for row in await pool.fetch(query)] for name, query in _judge.INVARIANTS.items()}
    async with pool.acquire() as connection:
        found["invalidReplyRoot"] = await _judge.reply_validity(connection, set(changed))
    return {name: rows for name, rows in found.items() if rows}
