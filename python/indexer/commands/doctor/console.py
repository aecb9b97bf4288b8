"""PgBouncer's console: it knows simple queries only, and asyncpg gives no rows of those.

So asyncpg opens the connection (TLS, passwords), and then its transport is read here.
"""

import asyncio
import struct
from typing import Self

import asyncpg

from indexer.connections.database import POSTGRES_FAULTS

CONNECT_S = 3.0
ANSWER_S = 3.0


class NoConsoleError(Exception):
    """There is none, or this user may not see it."""


class Console:
    """For the time of an `async with` block. NoConsoleError where it cannot be had."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.version = ""

    async def __aenter__(self) -> Self:
        try:
            self._connection = await asyncpg.connect(self._url, statement_cache_size=0, timeout=CONNECT_S)
        except POSTGRES_FAULTS as fault:
            raise NoConsoleError(f"no console of a pooler: {fault or type(fault).__name__}") from None
        self.version, _, is_pooler = str(self._connection.get_settings().server_version).partition("/")
        self._transport: asyncio.Transport | None = getattr(self._connection, "_transport", None)
        if is_pooler != "bouncer" or self._transport is None:
            self._connection.terminate()
            raise NoConsoleError("a database called pgbouncer answers, not a console")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._transport is not None:
            self._transport.abort()
        self._connection.terminate()

    async def show(self, what: str) -> list[dict[str, str]]:
        """The rows of `SHOW <what>`."""
        assert self._transport is not None
        answer = _Answer()
        self._transport.set_protocol(answer)
        text = f"SHOW {what}".encode() + b"\0"
        self._transport.write(b"Q" + struct.pack("!i", len(text) + 4) + text)
        try:
            return await asyncio.wait_for(answer.whole, ANSWER_S)
        except TimeoutError:
            raise NoConsoleError("its console does not answer") from None


class _Answer(asyncio.Protocol):
    """Messages up to ReadyForQuery (PostgreSQL documentation, Message Formats)."""

    def __init__(self) -> None:
        self.whole: asyncio.Future[list[dict[str, str]]] = asyncio.get_running_loop().create_future()
        self._bytes = b""
        self._names: list[str] = []
        self._found: list[dict[str, str]] = []

    def data_received(self, data: bytes) -> None:
        self._bytes += data
        while len(self._bytes) >= 5:
            size = 1 + int.from_bytes(self._bytes[1:5])
            if len(self._bytes) < size:
                return
            kind, body, self._bytes = self._bytes[:1], self._bytes[5:size], self._bytes[size:]
            self._message(kind, body)

    def connection_lost(self, _fault: Exception | None) -> None:
        self._end(NoConsoleError("its console has closed the connection"))

    def _message(self, kind: bytes, body: bytes) -> None:
        if kind == b"T":
            self._names = []
            place = 2
            for _ in range(int.from_bytes(body[:2])):
                end = body.index(b"\0", place)
                self._names.append(body[place:end].decode())
                place = end + 19  # the name's zero, and numbers of 18 bytes
        elif kind == b"D":
            values: list[str] = []
            place = 2
            for _ in range(int.from_bytes(body[:2])):
                size = int.from_bytes(body[place : place + 4], signed=True)
                place += 4
                values.append(body[place : place + size].decode(errors="replace") if size > 0 else "")
                place += max(size, 0)
            self._found.append(dict(zip(self._names, values, strict=True)))
        elif kind == b"E":
            self._end(NoConsoleError("its console refuses to show that"))
        elif kind == b"Z":
            self._end(None)

    def _end(self, fault: Exception | None) -> None:
        if self.whole.done():
            return
        if fault is not None:
            self.whole.set_exception(fault)
        else:
            self.whole.set_result(self._found)
