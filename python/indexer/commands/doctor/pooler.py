"""PgBouncer, where one is in between: what it is, how it pools, and whether the instances fit."""

from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

from indexer.commands.doctor.console import Console, NoConsoleError
from indexer.commands.doctor.finding import Fact, Finding, Unseen, Yielded
from indexer.commands.doctor.postgres import too_many
from indexer.commands.doctor.subject import Subject

AREA = "pooler"
PREPARED = (1, 21)
"""The first version that can keep prepared statements apart."""


async def pooling(subject: Subject) -> AsyncIterator[Yielded]:
    """Version, mode, and limits, as its console shows them."""
    if not subject.is_pooled:
        return
    url = subject.settings["postgres_url"]
    try:
        async with Console(urlunsplit(urlsplit(url)._replace(path="/pgbouncer"))) as console:
            version = console.version
            config = {row["key"]: row["value"] for row in await console.show("CONFIG")}
            databases = await console.show("DATABASES")
    except NoConsoleError as fault:
        yield Unseen(
            AREA,
            "its version, mode and limits",
            f"{fault}; add this user to stats_users in pgbouncer.ini where it is PgBouncer",
        )
        return
    name = urlsplit(url).path.lstrip("/")
    own = next((row for row in databases if row["name"] == name), {})
    mode = own.get("pool_mode") or config.get("pool_mode", "")
    yield Fact(AREA, f"PgBouncer {version}, pool_mode {mode}, max_client_conn {config.get('max_client_conn')}")
    async for finding in judged(subject, version, mode, config):
        yield finding


async def judged(subject: Subject, version: str, mode: str, config: dict[str, str]) -> AsyncIterator[Finding]:
    """What does not go together."""
    if mode == "statement":
        yield Finding(
            f"{AREA}.statement_mode",
            "PgBouncer pools statements (pool_mode = statement)",
            "it refuses transactions, and every batch is one",
            "pool_mode = transaction, for this database at least",
        )
    cache = subject.settings.get("statement_cache")
    keeps = _parts(version) >= PREPARED and int(config.get("max_prepared_statements") or 0) > 0
    if cache and mode != "session" and not keeps:
        yield Finding(
            f"{AREA}.prepared_statements",
            f"INDEXER_STATEMENT_CACHE is {cache}, and PgBouncer {version} does not keep prepared statements apart",
            "statements of one client are sent to the connection of another: errors 26000 and 42P05, which halt lanes",
            "unset INDEXER_STATEMENT_CACHE (auto: none behind a pooler), or use PgBouncer 1.21 with "
            "max_prepared_statements",
        )
    most = int(config.get("max_client_conn") or 0)
    pool = subject.settings["pool_max_size"]
    if most and subject.fleet * pool > most:
        yield too_many(AREA, subject.fleet, pool, most, "for clients of PgBouncer (max_client_conn)")


def refused(fault: str) -> Finding | None:
    """What a refused connection tells about a pooler."""
    if "max_client_conn" in fault or "no more connections allowed" in fault:
        return Finding(
            f"{AREA}.full",
            "PgBouncer refuses connections: max_client_conn is reached",
            "instances do not start, and running ones cannot replace a lost connection",
            "lower DB_POOL_MAX_SIZE (instances times pool), or raise max_client_conn",
        )
    if "pooling mode" in fault:
        return Finding(
            f"{AREA}.statement_mode",
            "PgBouncer pools statements (pool_mode = statement)",
            "it refuses transactions, and every batch is one",
            "pool_mode = transaction, for this database at least",
        )
    return None


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
