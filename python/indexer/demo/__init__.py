"""`indexer demo`: private servers, a real recording and made-up messages, the real daemon, and what it made of them.

Nothing is left running or behind, also where it is stopped early. `traffic.py` is the generator of made-up messages,
for benches too.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from redis import Redis

from indexer.demo import feed, findings, identifiers, processor, recording, summary
from indexer.demo.daemon import Counts, Daemon, running
from indexer.demo.servers import servers
from indexer.errors import ExitCode, IndexerError
from indexer.schema import create
from indexer.terminal import Terminal

MESSAGES = 20_000
LIKED = 3
"""Made-up posts that are shown."""


def main(messages: int | None = None, *, migration: bool = False) -> int:
    """Run the demo with so many made-up messages; the exit code. IndexerError where something is missing or fails."""
    terminal = Terminal(sys.stdout, os.environ)
    try:
        with _stoppable():
            if migration:
                from indexer.demo.migration import MESSAGES as FEWER
                from indexer.demo.migration import rehearse

                return rehearse(terminal, FEWER if messages is None else messages)
            return _demo(terminal, MESSAGES if messages is None else messages)
    except KeyboardInterrupt:
        terminal.say("stopped early; the servers are stopped, their data is gone")
        return ExitCode.STOPPED_EARLY
    except IndexerError:
        terminal.clear()
        raise
    except BrokenPipeError:  # nobody reads on; the interpreter must not find that out once more when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.STOPPED_EARLY


def _demo(terminal: Terminal, messages: int) -> int:
    with ExitStack() as stack:
        began = time.monotonic()
        terminal.doing("starting the servers")
        place = stack.enter_context(servers(os.environ))
        asyncio.run(create.create(place.postgres_url, findings.SCHEMA))
        terminal.say(f"servers with the AppView's schema: ready after {time.monotonic() - began:.1f} s")
        client = stack.enter_context(Redis.from_url(place.redis_url))
        fed = feed.fill(client, messages, lambda done, total: terminal.progress("filling the streams", done, total, 0))
        settings = {
            "redis_url": place.redis_url,
            "postgres_url": place.postgres_url,
            "consumer": "demo",
            "mode": "stream",
            "did_resolution": "false",
            "metrics_port": "0",
        }
        terminal.doing("starting the indexer")
        with running(settings) as daemon:
            counts, speed = _index(terminal, client, daemon, place.postmaster, fed)
        looked = findings.find(place.postgres_url, recording.post_uris(), identifiers.MADE_UP, LIKED)
        found = asyncio.run(looked)
    summary.write(terminal, fed, counts, found, speed)
    faults = summary.disagreements(fed, counts, found)
    for fault in faults:
        terminal.say(f"\nthis does not add up: {fault}")
    return ExitCode.FINDINGS if faults else ExitCode.DONE


def _index(
    terminal: Terminal, client: Redis, daemon: Daemon, postmaster: int | None, fed: feed.Fed
) -> tuple[Counts, summary.Speed]:
    """Wait until everything is indexed; what was counted, and how long it took."""

    def used() -> tuple[float | None, float | None]:
        return processor.seconds(daemon.pid), None if postmaster is None else processor.family_seconds(postmaster)

    def left() -> int:
        return int(client.xlen(feed.LIVE)) + int(client.xlen(feed.BACKFILL))

    def tell(done: int) -> None:
        terminal.progress("indexing", done, fed.total, done / max(time.time() - daemon.started_at, 0.1))

    before = used()
    daemon.until(lambda: fed.total - left(), fed.total, tell)
    seconds = time.time() - daemon.started_at
    cpu = [None if one is None or two is None else two - one for one, two in zip(before, used(), strict=True)]
    # A message leaves its stream a moment before it is counted.
    daemon.until(lambda: daemon.counts().finished, fed.total, lambda _: None)
    terminal.clear()
    return daemon.counts(), summary.Speed(fed.total, seconds, cpu[0], cpu[1])


@contextmanager
def _stoppable() -> Iterator[None]:
    """The first SIGINT or SIGTERM stops the demo, which then tidies up undisturbed."""

    def stop(_number: int, _frame: object) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
