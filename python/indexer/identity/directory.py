"""The PLC directory. It is the operator's own: any address, any port, http too; its name is resolved by the system."""

import ssl
from collections.abc import Callable
from typing import Self
from urllib.parse import quote

import aiohttp
from yarl import URL

from indexer.identity.gates import Gates, TurnedAwayError
from indexer.identity.http import Budget
from indexer.identity.limits import Limits
from indexer.identity.outcomes import Failure
from indexer.identity.responses import HEADERS, NO_LIMIT, REDIRECTS, Response, fault, read

ACCEPT = "application/did+ld+json,application/json"
_GATE = "directory"
_UNESCAPED = "!~*'()"  # as encodeURIComponent has it


class Directory:
    """An async context manager: connections are kept open between requests. `url` has no slash at its end."""

    def __init__(
        self, url: str, limits: Limits, clock: Callable[[], float], *, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._url = url
        self._limits = limits
        self._clock = clock
        self._ssl = ssl_context
        self._gates = Gates(
            at_once=limits.directory_concurrency,
            trips=limits.directory_trips,
            open_s=limits.directory_open_s,
            open_most_s=limits.directory_open_most_s,
            wait_s=limits.wait_s,
            clock=clock,
        )

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(
            resolver=aiohttp.ThreadedResolver(),  # /etc/hosts and the search list are the operator's, too
            ttl_dns_cache=30,
            limit=self._limits.directory_concurrency,
            ssl=True if self._ssl is None else self._ssl,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=HEADERS | {"Accept": ACCEPT},
            **NO_LIMIT,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, did: str) -> Response | Failure:
        """What the directory says of a DID. 429 is a Failure, and so is 503 with a Retry-After.

        These two stop all requests for as long as Retry-After says.
        """
        try:
            async with self._gates.passage(_GATE) as passage:
                answer = await self._request(did)
                passage.failed = isinstance(answer, Failure) or answer.status >= 500
        except TurnedAwayError as refusal:
            return Failure(refusal.cause, refusal.retry_after_s)
        if isinstance(answer, Failure) or answer.status not in {429, 503}:
            return answer
        wait_s = answer.retry_after_s
        if wait_s is None:
            if answer.status == 503:
                return answer
            wait_s = self._limits.directory_open_s
        self._gates.shut(_GATE, wait_s)
        return Failure("rate_limited", wait_s)

    async def _request(self, did: str) -> Response | Failure:
        url = URL(f"{self._url}/{quote(did, safe=_UNESCAPED)}", encoded=True)
        try:
            async with (
                Budget(self._limits.timeout_s, self._clock).spending(),
                self._session.get(url, allow_redirects=False) as answer,
            ):
                if answer.status in REDIRECTS:
                    return Failure("redirect")
                return await read(answer, self._limits.document_bytes)
        except TimeoutError:
            return Failure("timeout")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Failure(fault(error, has_v4=True))
