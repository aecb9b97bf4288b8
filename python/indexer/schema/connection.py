"""One connection for the commands that run beside the daemon."""

import contextlib
from collections.abc import AsyncIterator, Iterator

import asyncpg

from indexer.configuration import secrets, values
from indexer.connections.database import POSTGRES_FAULTS, Connection
from indexer.errors import ConfigError, SchemaError, UnavailableError

CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 300.0  # building the AppView's indexes on empty tables takes one


@contextlib.asynccontextmanager
async def connected(
    url: str, command: str = "schema", timeout_s: float = CONNECT_TIMEOUT_S
) -> AsyncIterator["Connection"]:
    """A connection that works through poolers too (no prepared statements, no settings but the application's name).

    UnavailableError where no server answers, ConfigError where it answers that this user or database is wrong.
    """
    try:
        connection = await asyncpg.connect(
            url,
            statement_cache_size=0,
            timeout=timeout_s,
            command_timeout=STATEMENT_TIMEOUT_S,
            server_settings={"application_name": f"indexer/{command}"},
        )
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as fault:
        raise ConfigError(
            f"{values.masked_secret(url)} was refused", secrets.quoted(fault, url), "correct DB_POSTGRES_URL"
        ) from None
    except POSTGRES_FAULTS as fault:
        raise UnavailableError(
            f"{values.masked_secret(url)} cannot be reached",
            secrets.quoted(fault, url),
            "start the server, or correct DB_POSTGRES_URL",
        ) from None
    try:
        yield connection
    finally:
        await connection.close()


@contextlib.contextmanager
def needing_to_read(command: str) -> Iterator[None]:
    """SchemaError where something that the command looks at is missing, or is not for this role."""
    try:
        yield
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError) as fault:
        raise SchemaError(
            f"`{command}` cannot look at all tables",
            str(fault),
            "`indexer schema check` says what is missing; `indexer schema create --print-sql` shows the grants",
        ) from None
