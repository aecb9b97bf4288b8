"""Requests to strangers' hosts: sizes, times, redirects, TLS, encodings, places and circuits."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

from indexer.identity import Limits
from indexer.identity.outcomes import Failure
from indexer.identity.responses import Response, retry_after
from tests.identity.certificates import Authority
from tests.identity.conftest import SHORT, Hanging, Internet, leads_to, roomy, says
from tests.identity.network import WebHosts, raw_server

URL = "https://a.example/x"


async def test_an_answer_comes_with_its_status_and_body(internet: Internet) -> None:
    internet.host("a.example", says("hello", status=404))
    answer = await internet.client().get(URL, max_bytes=100, accept="text/plain")
    assert answer == Response(404, b"hello", True)
    assert internet.web.requests == [("a.example", "/x")]


async def test_identity_encoding_is_asked_for_and_nothing_personal_is_sent(internet: Internet) -> None:
    internet.host("a.example", says("hello", Set_Cookie="a=b"))
    client = internet.client()
    for _ in range(2):
        await client.get(URL, max_bytes=100)
    for headers in internet.web.headers:
        assert headers["Accept-Encoding"] == "identity"
        assert set(headers) == {"Host", "Accept", "Accept-Encoding", "User-Agent", "Connection"}


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "identity, gzip"])
async def test_a_compressed_answer_is_not_unpacked(internet: Internet, encoding: str) -> None:
    internet.host("a.example", says(b"\x1f\x8b\x08" + bytes(100), Content_Encoding=encoding))
    assert await internet.client().get(URL, max_bytes=1000) == Failure("encoded")


async def test_a_long_body_is_cut_off(internet: Internet) -> None:
    internet.host("a.example", says(b"x" * 101))
    assert await internet.client().get(URL, max_bytes=100) == Response(200, b"x" * 100, False)
    assert await internet.client().get(URL, max_bytes=101) == Response(200, b"x" * 101, True)


async def test_an_endless_body_is_cut_off(internet: Internet) -> None:
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 1 << 30:
            await response.write(b"x" * 65536)
            sent += 65536
        return response

    internet.host("a.example", endless)
    answer = await internet.client().get(URL, max_bytes=2048)
    assert answer == Response(200, b"x" * 2048, False)
    assert sent < 1 << 26, "buffers of the kernel at most"


async def test_a_body_that_drips_is_slow(internet: Internet) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b"x")
            await asyncio.sleep(0.05)
        return response

    internet.host("a.example", drip)
    assert await internet.client(SHORT).get(URL, max_bytes=2048) == Failure("slow")


async def test_headers_that_never_end_are_refused(internet: Internet) -> None:
    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(100_000):
            writer.write(b"X-%d: y\r\n" % number)
            await writer.drain()

    port = await internet.start(_tls(internet, flood))
    internet.place("a.example", port)
    assert await internet.client().get(URL, max_bytes=2048) == Failure("protocol")


@pytest.mark.parametrize(
    "wire",
    [
        b"SSH-2.0-OpenSSH\r\n",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X" * 10_000,
    ],
)
async def test_what_is_not_http_is_a_fault_of_the_host(internet: Internet, wire: bytes) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(wire)
        await writer.drain()

    internet.place("a.example", await internet.start(_tls(internet, babble)))
    answer = await internet.client().get(URL, max_bytes=2048)
    assert isinstance(answer, Failure)
    assert answer.cause in {"protocol", "refused"}


async def test_a_connection_that_breaks_off_is_refused(internet: Internet) -> None:
    async def hang_up(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    internet.place("a.example", await internet.start(_tls(internet, hang_up)))
    assert await internet.client().get(URL, max_bytes=9) == Failure("refused")


async def test_a_refused_connection_is_refused(internet: Internet) -> None:
    internet.names.addresses["a.example"] = ["45.9.9.9"]  # the switchboard refuses
    assert await internet.client().get(URL, max_bytes=9) == Failure("refused")


async def test_the_second_address_is_tried_where_the_first_refuses(internet: Internet) -> None:
    good = internet.host("a.example", says("hello"))
    internet.names.addresses["a.example"] = ["45.9.9.9", good]
    assert await internet.client().get(URL, max_bytes=9) == Response(200, b"hello", True)


async def test_an_ipv6_address_is_connected_to(internet: Internet) -> None:
    internet.web.handlers["a.example"] = says("hello")
    internet.names.addresses["a.example"] = ["2606:4700::1"]
    internet.switchboard.routes["2606:4700::1"] = internet.web.port
    assert await internet.client().get(URL, max_bytes=9) == Response(200, b"hello", True)
    assert internet.switchboard.dialled == [("2606:4700::1", 443)]


@pytest.mark.parametrize("stage", ["tls", "answer"])
async def test_a_silent_host_is_given_up_after_the_time_limit(internet: Internet, stage: str) -> None:
    if stage == "tls":
        internet.place("a.example", internet.silent_port)
    else:
        internet.host("a.example", Hanging(says("too late")))
    assert await internet.client(SHORT).get(URL, max_bytes=9) == Failure("timeout")


async def test_the_time_limit_includes_the_name_look_up(internet: Internet) -> None:
    internet.names.silent.add("a.example")
    assert await internet.client(SHORT).get(URL, max_bytes=9) == Failure("dns")


async def test_the_time_limit_holds_over_all_redirects(internet: Internet) -> None:
    """Each hop answers in time, all of them together do not."""

    async def slowly(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(SHORT.timeout_s / 3)
        raise web.HTTPFound(f"https://a.example{request.path}x")

    internet.host("a.example", slowly)
    assert await internet.client(SHORT).get(URL, max_bytes=9, redirects=50) == Failure("timeout")
    assert internet.web.asked("a.example") <= 4


async def test_redirects_are_followed_up_to_a_limit(internet: Internet) -> None:
    async def count_down(request: web.Request) -> web.StreamResponse:
        left = int(request.query["n"])
        if not left:
            return web.Response(text="there")
        raise web.HTTPTemporaryRedirect(f"/y?n={left - 1}")

    internet.host("a.example", count_down)
    client = internet.client()
    assert await client.get("https://a.example/?n=3", max_bytes=9, redirects=3) == Response(200, b"there", True)
    assert await client.get("https://a.example/?n=4", max_bytes=9, redirects=3) == Failure("redirect")


async def test_no_redirect_is_followed_unless_wanted(internet: Internet) -> None:
    internet.host("a.example", leads_to("/elsewhere"))
    assert await internet.client().get(URL, max_bytes=9) == Failure("redirect")
    assert internet.web.requests == [("a.example", "/x")]


async def test_a_redirect_without_a_location_is_an_answer(internet: Internet) -> None:
    internet.host("a.example", says("hello", status=302))
    assert await internet.client().get(URL, max_bytes=9, redirects=1) == Response(302, b"hello", True)


async def test_each_hop_is_looked_up_and_connected_to_anew(internet: Internet) -> None:
    first = internet.host("a.example", leads_to("https://b.example/y"))
    second = internet.host("b.example", says("there"))
    assert isinstance(await internet.client().get(URL, max_bytes=9, redirects=1), Response)
    assert internet.switchboard.dialled == [(first, 443), (second, 443)]


@pytest.mark.parametrize("fault", ["expired", "wrong host", "unknown authority", "no tls"])
async def test_certificates_are_verified(
    internet: Internet, fault: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = Authority(tmp_path_factory.mktemp("other"))
    contexts = {
        "expired": internet.authority.server("a.example", until=datetime.now(UTC) - timedelta(hours=1)),
        "wrong host": internet.authority.server("b.example"),
        "unknown authority": other.server("a.example"),
        "no tls": None,
    }
    hosts: WebHosts = await internet.start(WebHosts().running(contexts[fault]))
    hosts.fallback = says("hello")
    internet.place("a.example", hosts.port)
    assert await internet.client().get(URL, max_bytes=9) == Failure("tls")
    assert hosts.requests == []


async def test_hosts_without_addresses_have_none(internet: Internet) -> None:
    internet.names.addresses["empty.example"] = []
    for name in ("nowhere.example", "empty.example"):
        assert await internet.client().get(f"https://{name}/", max_bytes=9) == Failure("no_address")


async def test_no_more_than_some_requests_at_once_for_a_host(internet: Internet) -> None:
    host = Hanging(says("hello"))
    internet.host("a.example", host)
    client = internet.client(roomy(per_host=2))
    requests = [asyncio.create_task(client.get(URL, max_bytes=9)) for _ in range(6)]
    await internet.web.arrived(2)
    host.go.set()
    assert all(isinstance(answer, Response) for answer in await asyncio.gather(*requests))
    assert internet.web.most_at_once["a.example"] == 2


async def test_who_waits_too_long_for_a_host_is_turned_away(internet: Internet) -> None:
    host = Hanging(says("hello"))
    internet.host("a.example", host)
    client = internet.client(roomy(per_host=1, wait_s=0.1))
    first = asyncio.create_task(client.get(URL, max_bytes=9))
    await internet.web.arrived(1)
    assert await client.get(URL, max_bytes=9) == Failure("busy", 0.1)
    host.go.set()
    assert isinstance(await first, Response)


async def test_no_more_than_some_requests_at_once_for_an_address(internet: Internet) -> None:
    """Any number of names for one tarpit does not help it."""
    host = Hanging(says("hello"))
    address = internet.place("n0.example")
    for number in range(6):
        internet.web.handlers[f"n{number}.example"] = host
        internet.names.addresses[f"n{number}.example"] = [address]
    client = internet.client(roomy(per_address=2))
    requests = [asyncio.create_task(client.get(f"https://n{number}.example/", max_bytes=9)) for number in range(6)]
    await internet.web.arrived(2)
    await asyncio.sleep(0.05)
    assert len(internet.web.requests) == 2
    host.go.set()
    assert all(isinstance(answer, Response) for answer in await asyncio.gather(*requests))


async def test_no_more_than_some_requests_at_once_in_all(internet: Internet) -> None:
    host = Hanging(says("hello"))
    for number in range(6):
        internet.host(f"n{number}.example", host)
    client = internet.client(roomy(concurrency=3))
    requests = [asyncio.create_task(client.get(f"https://n{number}.example/", max_bytes=9)) for number in range(6)]
    await internet.web.arrived(3)
    await asyncio.sleep(0.05)
    assert len(internet.web.requests) == 3
    host.go.set()
    assert all(isinstance(answer, Response) for answer in await asyncio.gather(*requests))


async def test_a_hanging_host_delays_no_other(internet: Internet) -> None:
    """Lessons L-25: 100 other requests finish while one host hangs, with everybody in the queue at once."""
    hanging = Hanging(says("hello"))
    internet.host("tarpit.example", hanging)
    for number in range(100):
        internet.host(f"n{number}.example", says("hello"))
    client = internet.client(roomy(timeout_s=40))
    stuck = [asyncio.create_task(client.get("https://tarpit.example/", max_bytes=9)) for _ in range(50)]
    others = [client.get(f"https://n{number}.example/", max_bytes=9) for number in range(100)]
    assert all(isinstance(answer, Response) for answer in await asyncio.gather(*others))
    assert internet.web.most_at_once["tarpit.example"] <= 4
    for task in stuck:
        task.cancel()
    await asyncio.gather(*stuck, return_exceptions=True)


async def test_the_circuit_of_a_host_opens_after_failures_and_closes_after_a_good_trial(internet: Internet) -> None:
    now = 0.0
    client = internet.client(roomy(host_trips=3, open_s=10), clock=lambda: now)
    internet.names.addresses["a.example"] = ["45.9.9.9"]
    for _ in range(3):
        assert await client.get(URL, max_bytes=9) == Failure("refused")
    dialled = len(internet.switchboard.dialled)
    assert await client.get(URL, max_bytes=9) == Failure("circuit_open", 10)
    assert len(internet.switchboard.dialled) == dialled
    now = 10.0
    internet.host("a.example", says("hello"))
    assert isinstance(await client.get(URL, max_bytes=9), Response)
    assert isinstance(await client.get(URL, max_bytes=9), Response)


async def test_the_circuit_of_an_address_opens_for_all_its_names(internet: Internet) -> None:
    limits = Limits(timeout_s=0.3, address_trips=3)
    client = internet.client(limits)
    address = internet.place("n0.example", internet.silent_port)
    for number in range(4):
        internet.names.addresses[f"n{number}.example"] = [address]
    for number in range(3):
        assert await client.get(f"https://n{number}.example/", max_bytes=9) == Failure("timeout")
    answer = await client.get("https://n3.example/", max_bytes=9)
    assert isinstance(answer, Failure)
    assert answer.cause == "circuit_open"
    assert len(internet.switchboard.dialled) == 3


async def test_after_429_a_host_is_left_alone_for_as_long_as_it_said(internet: Internet) -> None:
    now = 0.0
    client = internet.client(clock=lambda: now)
    internet.host("a.example", says("", status=429, Retry_After="120"))
    answer = await client.get(URL, max_bytes=9)
    assert isinstance(answer, Response)
    assert answer.retry_after_s == 120
    assert await client.get(URL, max_bytes=9) == Failure("rate_limited", 120)
    assert internet.web.asked("a.example") == 1
    now = 120.0
    assert isinstance(await client.get(URL, max_bytes=9), Response)


@pytest.mark.parametrize(
    ("text", "date", "seconds"),
    [
        ("120", None, 120.0),
        ("0", None, 0.0),
        ("99999999999999999999", None, 3600.0),
        ("Fri, 21 Nov 2025 10:01:00 GMT", "Fri, 21 Nov 2025 10:00:00 GMT", 60.0),
        ("Fri, 21 Nov 2025 10:00:00 GMT", "Fri, 21 Nov 2025 10:01:00 GMT", 0.0),
        ("Fri, 21 Nov 2099 10:00:00 GMT", "Fri, 21 Nov 2025 10:01:00 GMT", 3600.0),
        ("Fri, 21 Nov 2025 10:01:00 GMT", None, None),
        ("Fri, 21 Nov 2025 10:01:00 +99999999", "Fri, 21 Nov 2025 10:00:00 GMT", None),
        ("soon", "Fri, 21 Nov 2025 10:00:00 GMT", None),
        ("-5", None, None),
        ("1.5", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_retry_after_is_a_number_or_a_date(text: str | None, date: str | None, seconds: float | None) -> None:
    assert retry_after(text, date) == seconds


async def test_a_cancelled_request_leaves_its_place_and_no_trace(internet: Internet) -> None:
    internet.host("a.example", Hanging(says("never")))
    client = internet.client(roomy(per_host=1, host_trips=1, concurrency=1, wait_s=0.1))
    for number in range(3):
        task = asyncio.create_task(client.get(URL, max_bytes=9))
        await internet.web.arrived(number + 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    internet.web.handlers["a.example"] = says("hello")
    assert isinstance(await client.get(URL, max_bytes=9), Response)


def _tls(internet: Internet, behave: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> object:
    """A raw server behind a handshake that succeeds."""

    class _Behind:
        async def __aenter__(self) -> int:
            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                await writer.start_tls(context)
                await behave(reader, writer)

            context: ssl.SSLContext = internet.authority.server("a.example")
            self._server = raw_server(serve)
            return await self._server.__aenter__()

        async def __aexit__(self, *exc: object) -> None:
            await self._server.__aexit__(None, None, None)

    return _Behind()
