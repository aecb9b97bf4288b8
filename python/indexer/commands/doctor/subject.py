"""What the checks look at: the settings, and a connection to each server that could be had."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import asyncpg
from redis.asyncio import Redis

from indexer.commands.handover.holdings import Group, groups_of
from indexer.commands.status.ledger import LEASES, Lease, leases_of, reading
from indexer.configuration.origins import Configuration
from indexer.configuration.settings import option
from indexer.connections.database import Connection

FOREIGN_S = 60.0
"""A consumer without a lease that asked for entries within this time is alive."""


class UnusableError(Exception):
    """A check needs a setting that is missing or wrong; that is a finding of its own."""


class Usable(dict[str, Any]):
    """Values of settings by field."""

    def __missing__(self, field: str) -> Any:
        raise UnusableError(f"{option(field).variables[0]} is not usable")


@dataclass(slots=True)
class Subject:
    """One deployment. `instances` None: as many as have a lease."""

    configuration: Configuration
    instances: int | None = None
    redis: "Redis | None" = None
    database: "Connection | None" = None
    leases: Mapping[str, Lease] | None = None
    """None: they could not be read."""
    clock: Callable[[], float] = time.time
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Who uses the connection to the database has it."""
    nameservers: Sequence[tuple[str, int]] | None = None
    """None: the system's. For tests, as `clock`."""
    is_pooled: bool = False
    """Whether something stands between us and PostgreSQL."""

    async def read_leases(self) -> None:
        """Read them (again). Where they may not be read they stay as they are; who asks has no turn."""
        if self.database is not None:
            with suppress(asyncpg.PostgresError):
                async with self.turn, reading(self.database):
                    self.leases = leases_of(await self.database.fetch(LEASES))

    @property
    def settings(self) -> Usable:
        """Values by field; what is missing or wrong is not there."""
        return Usable(self.configuration.found)

    @property
    def groups(self) -> list[Group]:
        """The groups that are read, as far as the settings say."""
        fields = ("mode", "streams", "group", "label_stream", "label_group")
        if not all(name in self.settings for name in fields):
            return []
        return groups_of(SimpleNamespace(**self.settings), None)

    @property
    def living(self) -> list[str]:
        """Consumers whose lease is in force."""
        return [name for name, lease in (self.leases or {}).items() if lease.overdue_s < 0]

    @property
    def fleet(self) -> int:
        """How many instances share the servers: those that run, with the one that these settings are for."""
        return self.instances or len({*self.living, self.settings.get("consumer", "")})
