"""Works off the checks: side by side for different servers, each within its time, all of them within another."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, nullcontext, suppress
from dataclasses import dataclass, field

import asyncpg
from redis.exceptions import NoPermissionError, RedisError

from indexer.commands.doctor import pooler
from indexer.commands.doctor.checks import CHECKS, Check
from indexer.commands.doctor.finding import Fact, Finding, Unseen, Yielded
from indexer.commands.doctor.subject import Subject, UnusableError
from indexer.configuration import secrets, values
from indexer.connections.database import POSTGRES_FAULTS
from indexer.connections.redis_connection import open_redis
from indexer.errors import ConfigError, IndexerError
from indexer.schema.connection import connected

CONNECT_S = 4.0
CHECK_S = 5.0
DEADLINE_S = 10.0
"""Of all checks, with connections; with the start of the program it is less than 15 s."""
CLOSE_S = 1.0


@dataclass(slots=True)
class Report:
    """What was found, in the order of the checks."""

    findings: list[Finding] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    unseen: list[Unseen] = field(default_factory=list)

    def add(self, found: Yielded) -> None:
        """Each thing once, whoever finds it."""
        match found:
            case Finding() if found not in self.findings:
                self.findings.append(found)
            case Fact() if found not in self.facts:
                self.facts.append(found)
            case Unseen() if found not in self.unseen:
                self.unseen.append(found)


async def examine(subject: Subject, deadline_s: float = DEADLINE_S) -> Report:
    """Connect, and ask all checks. Raises nothing: what fails is part of the report."""
    results: dict[Check, list[Yielded]] = {}
    opening: list[Yielded] = []
    async with AsyncExitStack() as stack:
        work = asyncio.create_task(_work(subject, stack, opening, results))
        await asyncio.wait({work}, timeout=deadline_s)
        if not work.done():
            work.cancel()
        await asyncio.wait({work}, timeout=CLOSE_S)
        fault = work.exception() if work.done() and not work.cancelled() else None
        if fault is not None:
            raise fault
    report = Report()
    for found in opening:
        report.add(found)
    for check in CHECKS:
        for found in results.get(check, [Unseen(check.area, check.name, f"not done within {deadline_s:.0f} s")]):
            report.add(found)
    order = list(dict.fromkeys(check.area for check in CHECKS))
    report.findings.sort(key=lambda one: order.index(one.code.partition(".")[0]))
    return report


async def _work(
    subject: Subject, stack: AsyncExitStack, opening: list[Yielded], results: dict[Check, list[Yielded]]
) -> None:
    for check in (one for one in CHECKS if one.needs == "nothing"):
        results[check] = await _asked(check, subject)
    await asyncio.gather(_open_redis(subject, stack, opening), _open_database(subject, stack, opening))
    await asyncio.gather(
        _in_turn([one for one in CHECKS if one.needs == "redis"], subject, subject.redis is not None, results),
        _in_turn([one for one in CHECKS if one.needs == "database"], subject, subject.database is not None, results),
        *(_in_turn([one], subject, True, results) for one in CHECKS if one.needs == "network"),
    )


async def _in_turn(
    checks: Sequence[Check],
    subject: Subject,
    is_there: bool,
    results: dict[Check, list[Yielded]],
) -> None:
    for check in checks:
        async with subject.turn if check.needs == "database" else nullcontext():
            results[check] = await _asked(check, subject) if is_there else []


async def _asked(check: Check, subject: Subject) -> list[Yielded]:
    """What a check yields; where it fails, what it has yielded so far and why it failed."""
    found: list[Yielded] = []
    try:
        async with asyncio.timeout(CHECK_S):
            async for one in check.ask(subject):
                found.append(one)  # noqa: PERF401  what came before a failure counts
    except TimeoutError:
        found.append(Unseen(check.area, check.name, f"no answer within {CHECK_S:.0f} s"))
    except UnusableError as fault:
        found.append(Unseen(check.area, check.name, str(fault)))
    except NoPermissionError as fault:
        found.append(Unseen(check.area, check.name, f"this Redis user may not look: {values.mask(str(fault))}"))
    except asyncpg.InsufficientPrivilegeError as fault:
        found.append(Unseen(check.area, check.name, f"this role may not look: {values.mask(str(fault))}"))
    except asyncpg.QueryCanceledError:
        found.append(Unseen(check.area, check.name, "the database takes too long to answer"))
    except (RedisError, *POSTGRES_FAULTS) as fault:
        known = pooler.refused(str(fault))
        why = values.mask(str(fault)) or type(fault).__name__
        found.append(known or Unseen(check.area, check.name, f"the server failed: {why}"))
    return found


async def _open_redis(subject: Subject, stack: AsyncExitStack, opening: list[Yielded]) -> None:
    url = subject.settings.get("redis_url")
    if url is None:
        return
    try:
        subject.redis = await asyncio.wait_for(open_redis(url, CONNECT_S), CONNECT_S + CLOSE_S)
        stack.push_async_callback(_closed, subject.redis.aclose)
    except IndexerError as fault:
        is_password = any(word in fault.cause for word in ("password", "Authentication", "NOAUTH", "WRONGPASS"))
        remedy = fault.remedy if isinstance(fault, ConfigError) else "start it, or correct REDIS_HOST"
        opening.append(
            Finding(
                "redis.password" if is_password else "redis.unreachable",
                fault.what,
                f"no lane can work: {fault.cause}",
                "correct user and password in REDIS_HOST" if is_password else remedy,
            )
        )
    except TimeoutError:
        opening.append(
            Finding(
                "redis.unreachable",
                f"Redis at {values.masked_secret(url)} does not answer",
                f"no lane can work: nothing came within {CONNECT_S:.0f} s",
                "correct REDIS_HOST, or the firewall in between",
            )
        )
    except (RedisError, OSError, ValueError) as fault:
        opening.append(
            Finding(
                "redis.unreachable",
                f"Redis at {values.masked_secret(url)} cannot be used",
                f"no lane can work: {secrets.quoted(fault, url)}",
                "correct REDIS_HOST",
            )
        )


async def _open_database(subject: Subject, stack: AsyncExitStack, opening: list[Yielded]) -> None:
    url = subject.settings.get("postgres_url")
    if url is None:
        return
    try:
        entering = connected(url, "doctor", CONNECT_S)
        connection = await entering.__aenter__()
        stack.push_async_callback(_closed, lambda: entering.__aexit__(None, None, None))
        pid = await asyncio.wait_for(connection.fetchval("SELECT pg_backend_pid()"), CONNECT_S)
        subject.is_pooled = bool(pid != connection.get_server_pid())
        subject.database = connection
    except IndexerError as fault:
        code = "postgres.refused" if isinstance(fault, ConfigError) else "postgres.unreachable"
        known = pooler.refused(fault.cause)
        opening.append(known or Finding(code, fault.what, f"`run` does not start: {fault.cause}", fault.remedy))
        return
    except (ValueError, *POSTGRES_FAULTS) as fault:
        why = secrets.quoted(fault, url)
        what = f"{values.masked_secret(url)} does not answer"
        opening.append(Finding("postgres.unreachable", what, f"`run` does not start: {why}", "correct DB_POSTGRES_URL"))
        return
    with suppress(TimeoutError):
        await asyncio.wait_for(subject.read_leases(), CONNECT_S)


async def _closed(close: Callable[[], Awaitable[object]]) -> None:
    with suppress(Exception):
        await asyncio.wait_for(close(), CLOSE_S)
