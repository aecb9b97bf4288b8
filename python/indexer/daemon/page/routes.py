"""`/` and `/status.json`: read only, for browsers on this machine, whatever pages of others ask of them."""

import base64
import contextlib
import hashlib
import ipaddress
import re
import socket
from asyncio import create_task, gather
from collections.abc import AsyncIterator, Callable, Sequence
from importlib import resources
from typing import Any

from aiohttp import web
from redis.asyncio import Redis

from indexer.configuration.settings import Settings
from indexer.connections.database import Pool, Turns
from indexer.daemon.http import Health
from indexer.daemon.page.collector import Collector
from indexer.daemon.page.watch import InnerWatch
from indexer.lane.pipeline import Lane


@contextlib.asynccontextmanager
async def offered(
    settings: Settings, pool: Pool, turns: Turns, redis: Redis, lanes: Sequence[Lane[Any]], health: Callable[[], Health]
) -> AsyncIterator[tuple[web.RouteDef, ...]]:
    """The routes of the page, which is kept up to date for the time of the block; none where it is off."""
    if not is_on(settings):
        yield ()
        return
    watch = InnerWatch(settings, pool, turns, redis, health)
    collector = Collector(settings, watch, lambda: {lane.source.stream: lane.state for lane in lanes})
    running = create_task(collector.run(), name="status page")
    try:
        yield routes(collector.document, own_names(settings.metrics_host))
    finally:
        running.cancel()
        await gather(running, return_exceptions=True)
        await collector.close()


def is_on(settings: Settings) -> bool:
    """`auto`: only where nobody but this machine can ask."""
    if settings.status_page == "auto":
        return settings.metrics_host == "localhost" or _is_loopback(settings.metrics_host)
    return settings.status_page == "on"


def routes(document: "Callable[[], Any]", names: frozenset[str]) -> tuple[web.RouteDef, ...]:
    """Routes of a page that shows `document`, for requests that name one of `names`, or an address, as the host."""
    page, policy = _page()

    async def index(request: web.Request) -> web.Response:
        _check_host(request, names)
        return _answer(page, "text/html", policy)

    async def status(request: web.Request) -> web.Response:
        _check_host(request, names)
        found = await document()
        if found is None:
            return _answer('{"fault": "not yet looked"}', "application/json", policy, 503)
        return _answer(found, "application/json", policy)

    return (
        web.get("/", index, allow_head=False),
        web.get("/status.json", status, allow_head=False),
    )


def own_names(metrics_host: str) -> frozenset[str]:
    """What this machine is called, beside its addresses."""
    return frozenset({"localhost", metrics_host.lower(), socket.gethostname().lower()} - {""})


def _check_host(request: web.Request, names: frozenset[str]) -> None:
    """Refuse what a browser asks for in the name of a foreign site.

    A page of such a site may ask here if its own name is made to lead to this machine (DNS rebinding): then the
    request has that name. An address as the name cannot be led anywhere.
    """
    given = request.headers.get("Host", "").lower()
    match = re.fullmatch(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(:[0-9]+)?", given)
    host = match[1].strip("[]") if match else ""
    if host in names or _is_address(host):
        return
    raise web.HTTPMisdirectedRequest(
        text="This page is not served under that name.\n"
        "  cause:  the Host header has a name that is not of this machine\n"
        "  remedy: use http://127.0.0.1 with the port, its address, or localhost through a tunnel\n"
    )


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_loopback(text: str) -> bool:
    return _is_address(text) and ipaddress.ip_address(text).is_loopback


def _page() -> tuple[str, str]:
    """The file, and a policy under which nothing runs but what is in it, and nothing is asked but this port."""
    text = resources.files("indexer.daemon.page").joinpath("page.html").read_text(encoding="utf-8")
    hashes = {
        kind: " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
            for content in re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.S)
        )
        for kind in ("script", "style")
    }
    return text, (
        f"default-src 'none'; script-src {hashes['script']}; style-src {hashes['style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )


def _answer(text: str, content_type: str, policy: str, status: int = 200) -> web.Response:
    headers = {
        "Cache-Control": "no-store",
        "Content-Security-Policy": policy,
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
    return web.Response(text=text, content_type=content_type, charset="utf-8", status=status, headers=headers)
