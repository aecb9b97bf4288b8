"""The fault kit itself: faults happen as they are described, and one that does not happen fails the test."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.faults.proxy import Answer, Break, Latency, Proxy, Rewrite, Rule, Slices, proxied


class Echo:
    """A server that says everything back."""

    def __init__(self) -> None:
        self.heard = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(client,), daemon=True).start()

    def _echo(self, client: socket.socket) -> None:
        with client, suppress(ConnectionResetError):
            while data := client.recv(65_536):
                self.heard += data
                client.sendall(data)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)  # tells the thread that waits
        self._listener.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as found:
        yield found


def connect(proxy: Proxy) -> socket.socket:
    host, _, port = proxy.url.removeprefix("redis://").partition(":")
    return socket.create_connection((host, int(port)), timeout=10)


def said(client: socket.socket, data: bytes, length: int) -> bytes:
    """Say something; the first bytes of the answer."""
    client.sendall(data)
    answer = b""
    while len(answer) < length and (more := client.recv(length - len(answer))):
        answer += more
    return answer


def test_without_rules_everything_goes_through(echo: Echo) -> None:
    with proxied(echo.url) as proxy, connect(proxy) as client:
        assert said(client, b"x" * 100_000, 100_000) == b"x" * 100_000


def test_rule_that_never_fired_fails_the_test(echo: Echo) -> None:
    def vainly() -> None:
        with proxied(echo.url) as proxy, connect(proxy) as client:
            proxy.add(Latency(0, match=b"never"), Slices(1))
            assert said(client, b"other", 5) == b"other"

    with pytest.raises(AssertionError, match=r"Latency\(b'never'\)"):
        vainly()


def test_slices_and_rewritten_answers_of_another_length(echo: Echo) -> None:
    sizes: list[int] = []

    class Sizes(Rule):
        def changed(self, data: bytes, flow: object) -> Iterator[bytes]:
            sizes.append(len(data))
            yield data

    with proxied(echo.url) as proxy, connect(proxy) as client:
        proxy.add(Rewrite("client", b"PONG", b"-LOADING", most=1), Slices(3, "client"), Sizes("client"))
        assert said(client, b"PONG", 8) == b"-LOADING"
        assert said(client, b"PONG", 4) == b"PONG", "once only"
    assert sizes[:3] == [3, 3, 2]


def test_latency(echo: Echo) -> None:
    with proxied(echo.url) as proxy, connect(proxy) as client:
        proxy.add(Latency(0.2, "client"))
        began = time.monotonic()
        said(client, b"x", 1)
        assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("arrives", [True, False])
def test_connection_that_ends_at_a_match(echo: Echo, arrives: bool) -> None:
    with proxied(echo.url) as proxy, connect(proxy) as client:
        proxy.add(Break("close", "server", b"COMMIT", arrives=arrives))
        assert said(client, b"a", 1) == b"a"
        assert said(client, b"b COMMIT c", 10) in (b"", b"b ", b"b COMMIT"), "it may be answered on the way"
    limit = time.monotonic() + 10
    while echo.heard != (b"ab COMMIT" if arrives else b"ab ") and time.monotonic() < limit:
        time.sleep(0.01)
    assert echo.heard == (b"ab COMMIT" if arrives else b"ab ")


def test_connection_that_is_reset(echo: Echo) -> None:
    with proxied(echo.url) as proxy, connect(proxy) as client:
        proxy.add(Break("reset", "client", b"x", arrives=False))
        with pytest.raises(ConnectionResetError):
            said(client, b"x", 1)


def test_half_open_connection_says_nothing_until_it_is_reset(echo: Echo) -> None:
    with proxied(echo.url) as proxy, connect(proxy) as client:
        with proxy.rule(Break("hang", "client", arrives=False)):
            client.settimeout(0.2)
            with pytest.raises(TimeoutError):
                said(client, b"x", 1)
        with connect(proxy) as other:
            assert said(other, b"y", 1) == b"y", "the rule is over"
        proxy.reset_all()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_answer_in_the_place_of_the_server(echo: Echo) -> None:
    with proxied(echo.url) as proxy, connect(proxy) as client:
        proxy.add(Answer(b"PING", b"-BUSY\r\n", most=1))
        assert said(client, b"PING", 7) == b"-BUSY\r\n"
        assert said(client, b"PING", 4) == b"PING"
    assert echo.heard == b"PING"
