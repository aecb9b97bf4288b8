"""SIGTERM and SIGINT: the first lets the lanes finish, the second does not."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator

import structlog

from indexer.daemon.systemd import Systemd

log = structlog.get_logger()


@contextlib.contextmanager
def heard(stop: asyncio.Event, hurry: asyncio.Event, systemd: Systemd) -> Iterator[None]:
    """Listen for them for the time of the block."""
    loop = asyncio.get_running_loop()

    def ask() -> None:
        if stop.is_set():
            hurry.set()
        log.info("stopping")
        systemd.stopping()
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ask)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def too_late(stop: asyncio.Event, hurry: asyncio.Event, grace_s: float) -> None:
    """Returns when there is no more time: at the second signal, or when the grace time after the first is over."""
    await stop.wait()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(hurry.wait(), grace_s)
