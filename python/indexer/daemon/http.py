"""The metrics port: `/metrics` for Prometheus, `/livez` and `/readyz` for whoever restarts and routes, and the page."""

import contextlib
import errno
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from indexer.errors import ConfigError

SHUTDOWN_S = 2.0
"""For answers that are under way."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the process says of itself.

    Not live: restart it. Not ready: it does not make progress, `reasons` say why, a restart need not help.
    """

    live: bool
    ready: bool
    reasons: tuple[str, ...] = ()


@contextlib.asynccontextmanager
async def serving(
    host: str,
    port: int,
    registry: CollectorRegistry,
    health: Callable[[], Health],
    page: Sequence[web.RouteDef] = (),
) -> AsyncIterator[int]:
    """Serve for the time of the block; gives the port, which matters for port 0 (any free one).

    `page` has the routes of the status page. ConfigError where the address cannot be had.
    """

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return web.Response(body=encode(registry), headers={"Content-Type": content_type})

    async def livez(_request: web.Request) -> web.Response:
        state = health()
        return _answer(state, good=state.live)

    async def readyz(_request: web.Request) -> web.Response:
        state = health()
        return _answer(state, good=state.ready)

    app = web.Application()
    app.add_routes([web.get("/metrics", metrics), web.get("/livez", livez), web.get("/readyz", readyz), *page])
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_address=True)
        try:
            await site.start()
        except OSError as fault:
            taken = fault.errno == errno.EADDRINUSE
            raise ConfigError(
                f"METRICS_HOST={host}, METRICS_PORT={port} cannot be listened on",
                "another process uses the port" if taken else fault.strerror or str(fault),
                "stop the other process, or set METRICS_PORT to a free port (0: any)" if taken
                else "correct METRICS_HOST and METRICS_PORT",
            ) from None  # fmt: skip
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _answer(state: Health, *, good: bool) -> web.Response:
    """200 or 503, with a reason a line."""
    lines = state.reasons or ("ok" if good else "not ok",)
    return web.Response(status=200 if good else 503, text="\n".join(lines) + "\n")
