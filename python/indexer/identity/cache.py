"""The DID cache in Redis that the AppView reads (streams.md 9). It is written on every look-up and never read here."""

import json
from typing import Any, Literal

from redis.asyncio import Redis
from redis.exceptions import RedisError

PX_MS = 7 * 24 * 3600 * 1000  # an entry expires after seven days; its readers refresh it after six hours

Written = Literal["written", "refused"]


class DidCache:
    """Writes and deletes entries, once each.

    `refused` counts what Redis did not take, because it is full, read-only or away.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self.refused = 0

    async def write(self, did: str, document: dict[str, Any], updated_ms: int) -> Written:
        """Store a document as of `updated_ms` (milliseconds since the epoch)."""
        try:
            await self._redis.set(key(did), entry(document, updated_ms), px=PX_MS)
        except RedisError:
            self.refused += 1
            return "refused"
        return "written"

    async def delete(self, did: str) -> Written:
        """Forget a DID that has no document any more."""
        try:
            await self._redis.delete(key(did))
        except RedisError:
            self.refused += 1
            return "refused"
        return "written"


def key(did: str) -> str:
    """The key of a DID's entry."""
    return f"identity:{did}"


def entry(document: dict[str, Any], updated_ms: int) -> bytes:
    """The entry as JSON.stringify writes it: no blanks, lone surrogates as escapes, all else as it is."""
    text = json.dumps({"doc": document, "updatedAt": updated_ms}, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "backslashreplace")
