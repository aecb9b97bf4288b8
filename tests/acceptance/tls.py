"""TLS in front of servers on unix sockets: for PostgreSQL after its request for it, for Redis from the first byte."""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Coroutine, Iterator
from typing import Any

SSL_REQUEST = bytes.fromhex("0000000804d2162f")  # PostgreSQL documentation, Message Formats, SSLRequest


class Front:
    """Takes connections of one kind on a port of 127.0.0.1 and hands their bytes on."""

    def __init__(self, socket: str, context: ssl.SSLContext, *, asks_first: bool) -> None:
        """`asks_first`: the client asks in the clear whether there is TLS, as PostgreSQL's do."""
        self._socket = socket
        self._context = context
        self._asks_first = asks_first
        self.encrypted = 0
        """Connections that came through with TLS."""

    async def listen(self) -> tuple[asyncio.Server, int]:
        """The server and its port."""
        context = None if self._asks_first else self._context
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        return server, server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, ssl.SSLError):
            if self._asks_first:
                if await reader.readexactly(len(SSL_REQUEST)) != SSL_REQUEST:
                    writer.close()  # whoever talks in the clear gets nothing
                    return
                writer.write(b"S")
                await writer.start_tls(self._context)
            self.encrypted += 1
            to_reader, to_writer = await asyncio.open_unix_connection(self._socket)
            await asyncio.gather(_pump(reader, to_writer), _pump(to_reader, writer))


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()


@contextlib.contextmanager
def front(socket: str, context: ssl.SSLContext, *, asks_first: bool) -> Iterator[tuple[Front, int]]:
    """A `Front` at work in a thread of its own, and its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="tls")
    thread.start()

    def done(work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    found = Front(socket, context, asks_first=asks_first)
    server, port = done(found.listen())
    try:
        yield found, port
    finally:
        loop.call_soon_threadsafe(server.close)
        done(_cancelled())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _cancelled() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
