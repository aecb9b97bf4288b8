"""Requests to hosts that strangers chose.

A name is looked up once; its addresses are judged, and those that pass are the ones that are connected to: no second
look-up could answer differently. `GuardedSockets` judges once more what is about to be connected to, so an address
that comes in another way does not pass either. Proxies, credentials and cookies are not used; compressed answers are
declined and not unpacked.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from ipaddress import IPv6Address, IPv6Network, ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from indexer.identity.addresses import is_public
from indexer.identity.gates import Gates, TurnedAwayError
from indexer.identity.limits import Limits
from indexer.identity.names import Names
from indexer.identity.outcomes import SILENT, UNREACHED, Cause, Failure
from indexer.identity.responses import HEADERS, NO_LIMIT, REDIRECTS, Response, fault, read
from indexer.identity.urls import Target, redirected, target
from indexer.identity.witness import Verdict, Witness

SocketAddress = tuple[str, int] | tuple[str, int, int, int]
AddressInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, SocketAddress]
OpenSocket = Callable[[AddressInfo], socket.socket]

# Nothing was learned about the host itself.
_NOT_ASKED: frozenset[Cause] = frozenset({"dns", "no_address", "forbidden_address", "local", "busy", "circuit_open"})


class Budget:
    """The time that is left for a request; waiting for a place is not part of it."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._left_s = seconds
        self._clock = clock

    @contextlib.asynccontextmanager
    async def spending(self) -> AsyncIterator[None]:
        """TimeoutError when nothing is left."""
        started = self._clock()
        try:
            async with asyncio.timeout(self._left_s):
                yield
        finally:
            self._left_s -= self._clock() - started


class Client:
    """GET from strangers' hosts, bounded in every way. `allow_private` is for development.

    `open_socket` makes the socket for an address that was found good; tests record and divert with it.
    """

    def __init__(
        self,
        names: Names,
        limits: Limits,
        clock: Callable[[], float],
        *,
        allow_private: bool = False,
        ssl_context: ssl.SSLContext | None = None,
        open_socket: OpenSocket | None = None,
    ) -> None:
        self.witness = Witness(limits, clock)
        self._names = names
        self._limits = limits
        self._clock = clock
        self._allow_private = allow_private
        self._ssl = ssl_context or ssl.create_default_context()
        self._sockets = GuardedSockets(allow_private=allow_private, open_socket=open_socket)
        self._requests = asyncio.Semaphore(limits.concurrency)
        bounds = {"open_s": limits.open_s, "open_most_s": limits.open_most_s, "wait_s": limits.wait_s}
        self._hosts = Gates(at_once=limits.per_host, trips=limits.host_trips, clock=clock, **bounds)
        self._addresses = Gates(at_once=limits.per_address, trips=limits.address_trips, clock=clock, **bounds)

    async def get(self, url: str, *, max_bytes: int, accept: str = "*/*", redirects: int = 0) -> Response | Failure:
        """What the URL gives within `timeout_s`, at most `redirects` redirects away; each hop is judged alike.

        A longer body is cut off. With `redirects` a redirecting status without a Location is an answer like any other.
        """
        goal = target(url, allow_private=self._allow_private)
        budget = Budget(self._limits.timeout_s, self._clock)
        for _ in range(redirects + 1):
            if isinstance(goal, Failure):
                return goal
            answer = await self._hop(goal, accept, max_bytes, budget)
            if isinstance(answer, Failure) or answer.status not in REDIRECTS or (redirects and not answer.location):
                return answer
            goal = redirected(goal, answer.location or "", allow_private=self._allow_private)
        return Failure("redirect")

    async def _hop(self, goal: Target, accept: str, max_bytes: int, budget: Budget) -> Response | Failure:
        try:
            async with self._hosts.passage(goal.host) as passage, self._requests:
                addresses = await self._judged(goal, budget)
                if isinstance(addresses, Failure):
                    return addresses
                async with self._addresses.passage(_network(addresses[0])) as neighbours:
                    answer = await self._witnessed(goal, addresses, accept, max_bytes, budget)
                    neighbours.failed = _is_failure(answer, SILENT)
                passage.failed = _is_failure(answer, UNREACHED)
        except TurnedAwayError as refusal:
            return Failure(refusal.cause, refusal.retry_after_s)
        if isinstance(answer, Response) and answer.status == 429 and answer.retry_after_s:
            self._hosts.shut(goal.host, answer.retry_after_s)
        return answer

    async def _judged(self, goal: Target, budget: Budget) -> list[str] | Failure:
        """The addresses of the host that may be connected to, at least one."""
        if goal.is_address:
            found: list[str] | Failure = [goal.host]
        else:
            try:
                async with budget.spending():
                    found = await self._names.addresses(goal.host)
            except TimeoutError:
                return Failure("dns")
        if isinstance(found, Failure) or not found:
            return found or Failure("no_address")
        good = [address for address in found if self._allow_private or is_public(address)]
        return good[: self._limits.addresses] or Failure("forbidden_address")

    async def _witnessed(
        self, goal: Target, addresses: list[str], accept: str, max_bytes: int, budget: Budget
    ) -> Response | Failure:
        number = self.witness.begin(goal.host)
        answer: Response | Failure | None = None
        try:
            answer = await self._request(goal, addresses, accept, max_bytes, budget)
        finally:
            self.witness.end(number, None if answer is None else _verdict(answer))
        return answer

    async def _request(
        self, goal: Target, addresses: list[str], accept: str, max_bytes: int, budget: Budget
    ) -> Response | Failure:
        connector = aiohttp.TCPConnector(
            resolver=_Pinned(addresses),
            use_dns_cache=False,
            force_close=True,
            ssl=self._ssl,
            socket_factory=self._sockets.open,
        )
        answering = False
        async with aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), **NO_LIMIT
        ) as session:
            try:
                async with (
                    budget.spending(),
                    session.get(
                        URL(goal.url, encoded=True), headers=HEADERS | {"Accept": accept}, allow_redirects=False
                    ) as answer,
                ):
                    answering = True
                    return await read(answer, max_bytes)
            except TimeoutError:
                return Failure("slow" if answering else "timeout")
            except (aiohttp.ClientError, OSError, ValueError) as error:
                return Failure(fault(error, has_v4=any("." in address for address in addresses)))


class GuardedSockets:
    """Makes the sockets of outgoing connections, for public addresses and port 443 only."""

    def __init__(self, *, allow_private: bool, open_socket: OpenSocket | None = None) -> None:
        self._allow_private = allow_private
        self._open_socket = open_socket or _plain_socket

    def open(self, info: AddressInfo) -> socket.socket:
        """A socket for this address, not connected yet; OSError(EACCES) where it may not be connected to."""
        address, port, *scope = info[4]
        zone = scope[1] if len(scope) > 1 else 0
        if not self._allow_private and (port != 443 or zone or not is_public(address)):
            raise OSError(errno.EACCES, "not a public address")
        return self._open_socket(info)


class _Pinned(AbstractResolver):
    """Answers with addresses that were judged before, whatever is asked."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Nothing is open."""


def _plain_socket(info: AddressInfo) -> socket.socket:
    family, kind, protocol, *_ = info
    return socket.socket(family, kind, protocol)


def _network(address: str) -> str:
    """What stands for the machine behind an address: an IPv6 customer has at least a /64."""
    parsed = ip_address(address)
    return str(IPv6Network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else address


def _is_failure(answer: Response | Failure, causes: frozenset[Cause]) -> bool | None:
    if isinstance(answer, Response):
        return False
    return None if answer.cause in _NOT_ASKED else answer.cause in causes


def _verdict(answer: Response | Failure) -> Verdict | None:
    if isinstance(answer, Response):
        return "answered"
    if answer.cause in _NOT_ASKED:
        return None
    if answer.cause in SILENT:
        return "silent"
    return "failed" if answer.cause in UNREACHED else "answered"
