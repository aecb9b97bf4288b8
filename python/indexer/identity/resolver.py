"""The look-ups of the indexer: which handle a DID has, and whether its account is still hosted (actors.md 2, 4)."""

import asyncio
import contextlib
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from indexer.identity import documents, hosting
from indexer.identity.cache import DidCache
from indexer.identity.did import Documents
from indexer.identity.directory import Directory
from indexer.identity.handles import Handles, Refuted, Undecided
from indexer.identity.http import Client, OpenSocket
from indexer.identity.lag import LoopLag
from indexer.identity.limits import Limits
from indexer.identity.names import Names
from indexer.identity.outcomes import Deferred, Document, Found, Hosting, NotFound, Unusable


class Resolver:
    """An async context manager. Look-ups may run in any number at once and may be cancelled; nothing is raised.

    `plc_url`: the operator's directory, without a slash at its end. `allow_private_addresses`: development only.
    `cache`: where documents are written; None: nowhere. `nameservers`: address and port each; None: the system's.
    `ssl_context`, `open_socket`, `clock` (seconds that never go back), `now_ms` (since the epoch) and `sleep` are for
    tests.
    """

    def __init__(
        self,
        *,
        plc_url: str,
        allow_private_addresses: bool = False,
        cache: DidCache | None = None,
        limits: Limits | None = None,
        nameservers: Sequence[tuple[str, int]] | None = None,
        ssl_context: ssl.SSLContext | None = None,
        open_socket: OpenSocket | None = None,
        clock: Callable[[], float] = time.monotonic,
        now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._plc_url = plc_url
        self._allow_private = allow_private_addresses
        self._cache = cache
        self._limits = limits or Limits()
        self._nameservers = nameservers
        self._ssl = ssl_context
        self._open_socket = open_socket
        self._clock = clock
        self._now_ms = now_ms
        self._sleep = sleep
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        limits, clock = self._limits, self._clock
        names = Names(limits, clock, self._nameservers)
        self._stack.push_async_callback(names.close)
        directory = await self._stack.enter_async_context(
            Directory(self._plc_url, limits, clock, ssl_context=self._ssl)
        )
        self._client = Client(
            names,
            limits,
            clock,
            allow_private=self._allow_private,
            ssl_context=self._ssl,
            open_socket=self._open_socket,
        )
        self._documents = Documents(directory, self._client, limits, self._now_ms, self._cache)
        lag = await self._stack.enter_async_context(LoopLag().watching())
        self._handles = Handles(names, self._client, limits, clock, lag)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def look_up(self, did: str) -> Found | NotFound | Unusable | Deferred:
        """What `actor` must hold for a DID (actors.md 2.2, steps 1 to 3).

        Found: write the row, with a handle or without. NotFound, Unusable: write nothing, the look-up is done.
        Deferred: write nothing, ask again.
        """
        answer = await self._documents.resolve(did)
        if not isinstance(answer, Document):
            return answer
        claims = documents.claims(did, answer.content)
        if isinstance(claims, Unusable):
            return claims
        proof = await self._handles.verify(claims.handle, did)
        if isinstance(proof, Refuted):
            return Found(did, None, answer.content, answer.fetched_ms, proof.cause)
        if isinstance(proof, Undecided):
            fallback = Found(did, None, answer.content, answer.fetched_ms, proof.cause)
            return Deferred(proof.cause, proof.retry_after_s, fallback)
        return Found(did, claims.handle.lower(), answer.content, answer.fetched_ms)

    async def hosting(self, did: str) -> Hosting:
        """Whether the account's PDS still hosts it, with the reason (actors.md 4).

        No document, or none that names a PDS: gone. A document that cannot be had or read: unknown.
        """
        answer = await self._documents.resolve(did)
        if isinstance(answer, NotFound):
            return Hosting("gone", answer.cause)
        if not isinstance(answer, Document):
            wait_s = answer.retry_after_s if isinstance(answer, Deferred) else self._limits.retry_s
            return Hosting("unknown", answer.cause, wait_s)
        pds = documents.pds(did, answer.content)
        if pds is None:
            return Hosting("gone", "no_pds")
        return await hosting.ask(
            self._client, self._limits, pds, did, allow_private=self._allow_private, sleep=self._sleep
        )
