"""Clocks, name servers and the directory of accounts."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from redis.exceptions import NoPermissionError

from indexer.commands.doctor.finding import Fact, Finding, Unseen, Yielded
from indexer.commands.doctor.subject import Subject
from indexer.commands.status.ledger import reading
from indexer.configuration import values
from indexer.identity.limits import Limits
from indexer.identity.names import Names
from indexer.identity.outcomes import Failure

AREA = "network"
OFFSET_S = 2.0
"""Clocks that are kept by NTP differ by milliseconds."""
DIRECTORY_S = 4.0
KNOWN_NAME = "_atproto.bsky.app"
"""A name whose records are asked for; that it has none is an answer, too."""


async def clock_of_redis(subject: Subject) -> AsyncIterator[Yielded]:
    """Ids of entries are times by this clock."""
    redis: Any = subject.redis
    before = subject.clock()
    try:
        seconds, microseconds = await redis.time()
    except NoPermissionError:
        yield Unseen(AREA, "the clock of Redis", "this user may not TIME; `indexer-operator` of deploy/redis.acl may")
        return
    for finding in _offset("Redis", seconds + microseconds / 1e6, before, subject.clock()):
        yield finding


async def clock_of_postgres(subject: Subject) -> AsyncIterator[Yielded]:
    """Leases run by this clock."""
    assert subject.database is not None
    async with reading(subject.database):
        before = subject.clock()
        theirs = await subject.database.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
        after = subject.clock()
    for finding in _offset("PostgreSQL", theirs, before, after):
        yield finding


def _offset(whose: str, theirs: float, before: float, after: float) -> list[Yielded]:
    """The least offset that the moments of question and answer leave open."""
    offset = theirs - after if theirs > after else min(0.0, theirs - before)
    if abs(offset) < OFFSET_S:
        return [Fact(AREA, f"the clock of {whose} agrees with this machine's")]
    return [
        Finding(
            f"{AREA}.clock",
            f"the clock of {whose} is {abs(offset):,.0f} s {'ahead of' if offset > 0 else 'behind'} this machine's",
            "records of the future are judged by these clocks: a rev may be refused, or ages are shown wrong",
            "let all machines keep their clocks by NTP",
        )
    ]


async def names(subject: Subject) -> AsyncIterator[Yielded]:
    """Whether the name servers answer: half of all handles are proven by DNS."""
    if not subject.settings.get("did_resolution"):
        yield Fact(AREA, "look-ups are off (ENABLE_DID_RESOLUTION=false)")
        return
    servers = Names(Limits(), time.monotonic, subject.nameservers)
    try:
        answer = await servers.texts(KNOWN_NAME)
    finally:
        await servers.close()
    if isinstance(answer, Failure):
        yield Finding(
            f"{AREA}.dns",
            "the name servers of this machine do not answer",
            "handles that are proven by DNS wait, and no host of an account is found",
            "correct /etc/resolv.conf, allow port 53 to its servers, or set ENABLE_DID_RESOLUTION=false",
        )
    else:
        yield Fact(AREA, "name servers answer")


async def directory(subject: Subject) -> AsyncIterator[Yielded]:
    """Whether the directory of accounts answers."""
    url = subject.settings.get("plc_url", "")
    if not subject.settings.get("did_resolution") or not url:
        return
    fault, shown = await _fault(f"{url}/_health"), values.mask(url)
    if fault is None:
        yield Fact(AREA, f"{shown} answers")
        return
    yield Finding(
        f"{AREA}.directory",
        f"the directory {shown} cannot be used: {fault}",
        "look-ups of handles wait, and no account is removed; messages are indexed all the same",
        f"correct PLC_URL, allow {urlsplit(url).hostname} in the firewall, or set ENABLE_DID_RESOLUTION=false",
    )


async def _fault(url: str) -> str | None:
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=DIRECTORY_S)) as session,
            session.get(url, allow_redirects=False) as answer,
        ):
            return f"it answers {answer.status}" if answer.status >= 500 else None
    except aiohttp.ClientResponseError:  # whose text has the headers that were sent
        return "what answers is no web server"
    except TimeoutError:
        return f"no answer within {DIRECTORY_S:.0f} s"
    except (aiohttp.ClientError, OSError, asyncio.IncompleteReadError) as fault:
        return values.mask(str(fault)) or type(fault).__name__
