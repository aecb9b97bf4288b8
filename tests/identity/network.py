"""A small Internet on loopback: a name server, web hosts, and a switchboard that carries public addresses to them.

Real sockets throughout. What the switchboard has no route for is refused on the spot: no test ever sends a packet
to an address that is not on loopback.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from aiohttp import web
from dns.rdtypes.ANY.TXT import TXT

from indexer.identity.http import AddressInfo

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
UDP_SIZE = 1232


class NameServer:
    """Answers from dictionaries, over UDP and TCP; what is in none of them does not exist."""

    def __init__(self) -> None:
        self.texts: dict[str, list[list[bytes]]] = {}
        """TXT records by name, each a list of chunks."""
        self.addresses: dict[str, list[str]] = {}
        self.flips: dict[str, Iterator[list[str]]] = {}
        """Another list of addresses for every question; both families are asked for."""
        self.silent: set[str] = set()
        self.failing: dict[str, dns.rcode.Rcode] = {}
        self.is_down = False
        """Swallows every question."""
        self.answer_all: dns.rcode.Rcode | None = None
        """Answers every question with this code."""
        self.only: set[str] | None = None
        """SERVFAIL for all other names."""
        self.fallback: Callable[[str, str], list[str] | None] | None = None
        """Records for what is in no dictionary; None: the name does not exist."""
        self.asked: list[tuple[str, str]] = []
        self.over_tcp: list[str] = []
        self.place = ("127.0.0.1", 0)
        self.datagrams: list[_Udp] = []

    def answer(self, wire: bytes, *, tcp: bool) -> bytes | None:
        """The answer to a question as it goes over the wire; None: silence."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        if tcp:
            self.over_tcp.append(name)
        name = name.lower()
        if self.is_down or name in self.silent:
            return None
        response = dns.message.make_response(query)
        if self.answer_all is not None:
            response.set_rcode(self.answer_all)
        elif self.only is not None and name not in self.only:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif name in self.failing:
            response.set_rcode(self.failing[name])
        else:
            self._fill(response, question, name, kind)
        answer = response.to_wire(max_size=65535)
        if not tcp and len(answer) > UDP_SIZE:
            response.answer = []
            response.flags |= dns.flags.TC
            answer = response.to_wire()
        return answer

    def _fill(self, response: dns.message.Message, question: Any, name: str, kind: str) -> None:
        if name in self.flips:
            self.addresses[name] = next(self.flips[name])
        if kind == "TXT" and name in self.texts:
            texts = [TXT(dns.rdataclass.IN, dns.rdatatype.TXT, chunks) for chunks in self.texts[name]]
            response.answer = [dns.rrset.from_rdata_list(question.name, 0, texts)]
        elif name in self.addresses:
            family = [address for address in self.addresses[name] if (":" in address) == (kind == "AAAA")]
            if kind in {"A", "AAAA"} and family:
                response.answer = [dns.rrset.from_text_list(question.name, 0, "IN", kind, family)]
        elif self.fallback is not None and (records := self.fallback(name, kind)) is not None:
            if records:
                response.answer = [dns.rrset.from_text_list(question.name, 0, "IN", kind, records)]
        elif name not in self.texts:
            response.set_rcode(dns.rcode.NXDOMAIN)

    @contextlib.asynccontextmanager
    async def running(self, address: str = "127.0.0.1", port: int = 0) -> AsyncIterator["NameServer"]:
        server, transport = await self._listen(address, port)
        self.place = server.sockets[0].getsockname()[:2]
        try:
            yield self
        finally:
            transport.close()
            server.close()
            await server.wait_closed()

    async def _listen(self, address: str, port: int) -> tuple[asyncio.Server, asyncio.DatagramTransport]:
        for _ in range(20):  # the free TCP port may be taken for UDP
            server = await asyncio.start_server(self._tcp, address, port)
            try:
                transport, _protocol = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: _Udp(self), local_addr=server.sockets[0].getsockname()[:2]
                )
            except OSError:
                server.close()
                continue
            return server, transport
        raise OSError("no port is free for both UDP and TCP")

    async def _tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            size = int.from_bytes(await reader.readexactly(2))
            answer = self.answer(await reader.readexactly(size), tcp=True)
            if answer is not None:
                writer.write(len(answer).to_bytes(2) + answer)
                await writer.drain()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, names: NameServer) -> None:
        self._names = names
        names.datagrams.append(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        answer = self._names.answer(data, tcp=False)
        if answer is not None:
            self.transport.sendto(answer, addr)


class WebHosts:
    """Web hosts behind one port, told apart by the Host header (and, with TLS, by the name of the handshake)."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.fallback: Handler | None = None
        self.requests: list[tuple[str, str]] = []
        """Host and path with the query."""
        self.headers: list[dict[str, str]] = []
        self.at_once: dict[str, int] = {}
        self.most_at_once: dict[str, int] = {}
        self.port = 0
        self._news = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        host = request.host
        self.requests.append((host, request.path_qs))
        self._news.set()
        self.headers.append(dict(request.headers))
        handler = self.handlers.get(host, self.fallback)
        if handler is None:
            return web.Response(status=404, text="no such host")
        self.at_once[host] = self.at_once.get(host, 0) + 1
        self.most_at_once[host] = max(self.at_once[host], self.most_at_once.get(host, 0))
        try:
            return await handler(request)
        finally:
            self.at_once[host] -= 1

    async def arrived(self, count: int) -> None:
        """Wait until there were so many requests."""
        while len(self.requests) < count:
            self._news.clear()
            await self._news.wait()

    def asked(self, host: str) -> int:
        """How many requests a host had."""
        return sum(name == host for name, _ in self.requests)

    @contextlib.asynccontextmanager
    async def running(
        self, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0
    ) -> AsyncIterator["WebHosts"]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=0.001)
        await runner.setup()
        try:
            await web.TCPSite(runner, address, port, ssl_context=tls).start()
            self.port = runner.addresses[0][1]
            yield self
        finally:
            await runner.cleanup()


class Switchboard:
    """Makes sockets that reach a port on loopback instead of the address that was dialled; others are refused."""

    def __init__(self) -> None:
        self.routes: dict[str, int] = {}
        self.fallback: int | None = None
        self.dialled: list[tuple[str, int]] = []
        """Every address and port that a connection was about to be made to."""

    def open_socket(self, info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, (address, port, *_zone) = info
        self.dialled.append((address, port))
        return _Diverted(family, kind, protocol, to=self.routes.get(address, self.fallback))


class _Diverted(socket.socket):
    def __init__(self, family: int, kind: int, protocol: int, *, to: int | None) -> None:
        super().__init__(family, kind, protocol)
        self._to = to

    def connect(self, _address: Any, /) -> None:
        if self._to is None:
            raise ConnectionRefusedError(111, "no such place on the switchboard")
        super().connect(("127.0.0.1" if self.family == socket.AF_INET else "::ffff:127.0.0.1", self._to))


@contextlib.asynccontextmanager
async def raw_server(
    behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[int]:
    """A server that does with each connection what it is told; gives its port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await behave(reader, writer)
        finally:
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


async def say_nothing(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()
