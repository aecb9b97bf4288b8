"""A TCP proxy that makes networks and servers misbehave: to PostgreSQL, PgBouncer or Redis.

What goes through is changed by rules, each of which counts how often it did something. `proxied` fails a test in which
a rule did nothing: a fault that never happened shows nothing.

A match must lie within what is read at once. Statements and answers of our protocols that tests look for are short and
are sent whole.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

Side = Literal["server", "client"]
"""Where bytes go."""
COMMIT = b"COMMIT\0"
"""The end of the statement, and the whole of its answer."""
_READ = 65_536


class Rule:
    """Does something to what goes `toward` a side (both, if None) and contains `match`; at most `most` times."""

    def __init__(
        self,
        toward: Side | None = None,
        match: bytes = b"",
        *,
        most: int | None = None,
        unless: Callable[[], bool] = lambda: False,
    ) -> None:
        self._toward, self.match, self._most, self._unless = toward, match, most, unless
        self._lock = threading.Lock()
        self.hits = 0

    def fires(self, toward: Side, data: bytes) -> bool:
        """Whether it does something to these bytes; counted."""
        with self._lock:
            fires = (
                self._toward in (None, toward)
                and self.match in data
                and (self._most is None or self.hits < self._most)
                and not self._unless()
            )
            self.hits += fires
            return fires

    def changed(self, data: bytes, flow: "Flow") -> Iterable[bytes]:
        """What is sent instead, piece by piece. `BrokenError`: this and nothing more."""
        raise NotImplementedError


class BrokenError(Exception):
    """The connection ends here: `close` in order, `reset`, or `hang`: it stays open, and nothing comes any more."""

    def __init__(self, how: Literal["close", "reset", "hang"]) -> None:
        self.how = how


class Latency(Rule):
    def __init__(self, seconds: float, toward: Side | None = None, match: bytes = b"", **options: object) -> None:
        super().__init__(toward, match, **options)  # type: ignore[arg-type]
        self._seconds = seconds

    def changed(self, data: bytes, flow: "Flow") -> Iterable[bytes]:
        time.sleep(self._seconds)
        yield data


class Slices(Rule):
    """Sends few bytes at a time."""

    def __init__(self, size: int, toward: Side | None = None) -> None:
        super().__init__(toward)
        self._size = size

    def changed(self, data: bytes, flow: "Flow") -> Iterable[bytes]:
        for start in range(0, len(data), self._size):
            yield data[start : start + self._size]


class Break(Rule):
    """Breaks the connection at the match, which still arrives, or does not (`arrives`)."""

    def __init__(
        self,
        how: Literal["close", "reset", "hang"],
        toward: Side,
        match: bytes = b"",
        *,
        arrives: bool = True,
        **options: object,
    ) -> None:
        super().__init__(toward, match, **options)  # type: ignore[arg-type]
        self._how, self._arrives = how, arrives

    def changed(self, data: bytes, flow: "Flow") -> Iterable[bytes]:
        place = data.find(self.match)
        yield data[: place + len(self.match) if self._arrives else place]
        raise BrokenError(self._how)


class Rewrite(Rule):
    """Puts other bytes, as long or not, in the place of the match."""

    def __init__(self, toward: Side, match: bytes, new: bytes, **options: object) -> None:
        super().__init__(toward, match, **options)  # type: ignore[arg-type]
        self._new = new

    def changed(self, data: bytes, flow: "Flow") -> Iterable[bytes]:
        yield data.replace(self.match, self._new)


class Answer(Rule):
    """Answers in the server's place, which never hears of it."""

    def __init__(self, match: bytes, reply: bytes, **options: object) -> None:
        super().__init__("server", match, **options)  # type: ignore[arg-type]
        self._reply = reply

    def changed(self, data: bytes, flow: "Flow") -> Iterable[bytes]:
        flow.source.sendall(self._reply)
        return ()


class Link:
    """A client's connection and that to the server."""

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets = (client, server)
        self._lock = threading.Lock()
        self.is_over = False

    def end(self, *, reset: bool = False) -> None:
        """End both connections in order, or reset them, which drops what is under way."""
        with self._lock:
            if self.is_over:
                return
            self.is_over = True
        for each in self.sockets:
            with contextlib.suppress(OSError):
                if reset and each.family != socket.AF_UNIX:
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    each.shutdown(socket.SHUT_RD)  # tells nobody but the thread that reads
                else:
                    each.shutdown(socket.SHUT_RDWR)
            each.close()


class Flow:
    """One direction of a link."""

    def __init__(self, proxy: "Proxy", toward: Side, link: Link) -> None:
        self._proxy, self.toward, self._link = proxy, toward, link
        client, server = link.sockets
        self.source, self.target = (client, server) if toward == "server" else (server, client)

    def run(self) -> None:
        """Until either side closes or a rule breaks the connection."""
        try:
            while (data := self.source.recv(_READ)) and not self._link.is_over:
                for piece in self._through(self._proxy.rules, data):
                    self.target.sendall(piece)
            if not self._link.is_over:
                self.target.shutdown(socket.SHUT_WR)
        except BrokenError as broken:
            if broken.how != "hang":
                self._link.end(reset=broken.how == "reset")
        except OSError:
            self._link.end()

    def _through(self, rules: tuple[Rule, ...], data: bytes) -> Iterator[bytes]:
        if not data:
            return
        if not rules:
            yield data
            return
        first, *rest = rules
        pieces = first.changed(data, self) if first.fires(self.toward, data) else (data,)
        for piece in pieces:
            yield from self._through(tuple(rest), piece)


class Proxy:
    """Listens on a port of 127.0.0.1 and connects to the server of a URL for each who comes."""

    def __init__(self, server_url: str) -> None:
        self.server_url = server_url
        """Whom those who come from now on are connected to."""
        self.rules: tuple[Rule, ...] = ()
        self.arrivals: list[float] = []
        """When clients came, whether the server was there or not."""
        self._ever: list[Rule] = []
        self._links: list[Link] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        """The server's URL with this in its place."""
        parts = urlsplit(self.server_url)
        port = self._listener.getsockname()[1]
        if parts.scheme == "unix":
            return f"redis://127.0.0.1:{port}/0"
        user = f"{parts.username}@" if parts.username else ""
        return f"{parts.scheme}://{user}127.0.0.1:{port}{parts.path}"

    @contextlib.contextmanager
    def rule(self, *rules: Rule) -> Iterator[None]:
        """Apply rules, in this order, for the time of the block."""
        self.add(*rules)
        try:
            yield
        finally:
            self.rules = tuple(rule for rule in self.rules if rule not in rules)

    def add(self, *rules: Rule) -> None:
        self.rules += rules
        self._ever += rules

    def reset_all(self) -> None:
        """Reset every connection that is open now; who hangs learns of it."""
        for link in self._links:
            link.end(reset=True)
        self._links.clear()

    def idle_rules(self) -> list[str]:
        """The rules that never did anything."""
        return [f"{type(rule).__name__}({rule.match!r})" for rule in self._ever if not rule.hits]

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset_all()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.arrivals.append(time.monotonic())
            try:
                server = _connected(self.server_url)
            except OSError:
                client.close()
                continue
            link = Link(client, server)
            self._links.append(link)
            for flow in (Flow(self, "server", link), Flow(self, "client", link)):
                threading.Thread(target=flow.run, daemon=True).start()


def _connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    query = {name: texts[0] for name, texts in parse_qs(parts.query).items()}
    if parts.scheme == "unix":
        path = unquote(parts.path)
    elif "host" in query:
        path = str(Path(query["host"]) / f".s.PGSQL.{query.get('port', 5432)}")
    else:
        default = 5432 if parts.scheme.startswith("postgres") else 6379
        return socket.create_connection((parts.hostname or "127.0.0.1", parts.port or default))
    found = socket.socket(socket.AF_UNIX)
    try:
        found.connect(path)
    except OSError:
        found.close()
        raise
    return found


@contextlib.contextmanager
def proxied(server_url: str) -> Iterator[Proxy]:
    """A proxy for the time of the block. AssertionError at its end where a rule never did anything."""
    proxy = Proxy(server_url)
    try:
        yield proxy
    finally:
        proxy.close()
    assert not proxy.idle_rules(), f"these faults never happened: {proxy.idle_rules()}"
