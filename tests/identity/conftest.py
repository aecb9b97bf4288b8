"""A small Internet, and resolvers and clients that live in it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from indexer.identity import Limits, Resolver
from indexer.identity.http import Client
from indexer.identity.names import Names
from tests.identity.certificates import Authority
from tests.identity.network import Handler, NameServer, Switchboard, WebHosts, raw_server, say_nothing

ALICE = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa"
BOB = "did:plc:bbbbbbbbbbbbbbbbbbbbbbbb"
KEY = "zQ3shPkJyX6ZanqXmNb2q7rqc2enkEGLdDUpvomMCQo91uhEk"

# For hosts that hang: what is waited for is the limit itself. Two tries of a name server fit in. A slow machine is
# no overload here.
SHORT = Limits(timeout_s=1.2, dns_try_s=0.55, wait_s=1.2, backoff_s=(0.0, 0.0, 0.0), overload_s=1000.0)


def roomy(**changes: Any) -> Limits:
    """For hosts that answer: a slow machine runs into no limit."""
    times: dict[str, Any] = {"timeout_s": 25.0, "dns_try_s": 10.0, "wait_s": 25.0, "overload_s": 1000.0}
    return Limits(**times | changes)


def document(
    did: str = ALICE, handle: str = "alice.example", pds: str = "https://pds.example", **more: Any
) -> dict[str, Any]:
    """A document as the directory gives it; `more` replaces members."""
    return {
        "@context": ["https://www.w3.org/ns/did/v1"],
        "id": did,
        "alsoKnownAs": [f"at://{handle}"],
        "verificationMethod": [
            {"id": f"{did}#atproto", "type": "Multikey", "controller": did, "publicKeyMultibase": KEY}
        ],
        "service": [{"id": "#atproto_pds", "type": "AtprotoPersonalDataServer", "serviceEndpoint": pds}],
    } | more


class Internet:
    """Hosts have public addresses, which the switchboard carries to loopback."""

    def __init__(self, authority: Authority) -> None:
        self.authority = authority
        self.names = NameServer()
        self.web = WebHosts()
        self.directory = WebHosts()
        self.documents: dict[str, Any] = {}
        """What the directory knows: JSON values, or statuses."""
        self.switchboard = Switchboard()
        self.silent_port = 0
        self._numbers = count(1)
        self._stack = contextlib.AsyncExitStack()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Internet"]:
        async with self._stack:
            enter = self._stack.enter_async_context
            await enter(self.names.running())
            await enter(self.web.running(self.authority.server()))
            await enter(self.directory.running())
            self.silent_port = await enter(raw_server(say_nothing))
            self.directory.fallback = self._directory
            yield self

    async def _directory(self, request: web.Request) -> web.StreamResponse:
        answer = self.documents.get(request.path.removeprefix("/"), 404)
        if isinstance(answer, int):
            return web.Response(status=answer, text="{}")
        return web.json_response(answer)

    def place(self, name: str, port: int | None = None) -> str:
        """Give a name an address of its own, which leads to the port (of the web hosts); gives the address."""
        address = f"45.0.0.{next(self._numbers)}"
        self.names.addresses[name] = [address]
        self.switchboard.routes[address] = self.web.port if port is None else port
        return address

    def host(self, name: str, handler: Handler) -> str:
        """A web host of this name; gives its address."""
        self.web.handlers[name] = handler
        return self.place(name)

    def proof(self, handle: str, did: str = ALICE) -> None:
        """The handle's DNS names the DID."""
        self.names.texts[f"_atproto.{handle}"] = [[f"did={did}".encode()]]

    async def start(self, context: Any) -> Any:
        """Run something until the test ends."""
        return await self._stack.enter_async_context(context)

    def client(self, limits: Limits | None = None, **options: Any) -> Client:
        limits = limits or roomy()
        names = Names(limits, time.monotonic, [self.names.place])
        return Client(
            names,
            limits,
            options.pop("clock", time.monotonic),
            ssl_context=options.pop("ssl_context", self.authority.trusting()),
            open_socket=self.switchboard.open_socket,
            **options,
        )

    async def resolver(self, limits: Limits | None = None, **options: Any) -> Resolver:
        arguments: dict[str, Any] = {
            "plc_url": f"http://127.0.0.1:{self.directory.port}",
            "limits": limits or roomy(),
            "nameservers": [self.names.place],
            "ssl_context": self.authority.trusting(),
            "open_socket": self.switchboard.open_socket,
        }
        resolver: Resolver = await self.start(Resolver(**arguments | options))
        return resolver


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest_asyncio.fixture
async def internet(authority: Authority) -> AsyncIterator[Internet]:
    async with Internet(authority).running() as running:
        yield running


def says(text: str | bytes, status: int = 200, **headers: str) -> Handler:
    """A host that gives this answer to everything."""
    body = text.encode() if isinstance(text, str) else text

    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, body=body, headers={key.replace("_", "-"): v for key, v in headers.items()})

    return handle


def gives(value: Any, status: int = 200) -> Handler:
    """A host that gives this JSON value."""

    async def handle(_request: web.Request) -> web.StreamResponse:
        return web.json_response(value, status=status)

    return handle


def leads_to(location: str, status: int = 302) -> Handler:
    """A host that redirects."""
    return says("", status, Location=location)


class Hanging:
    """A host that answers as another one does, but not before `go` is set."""

    def __init__(self, then: Handler) -> None:
        self.go = asyncio.Event()
        self._then = then

    async def __call__(self, request: web.Request) -> web.StreamResponse:
        await self.go.wait()
        return await self._then(request)
