"""Servers for measuring: what PostgreSQL says is committed is on the disk, as with anybody's data."""

import asyncio
import os
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count

from indexer import embedded
from indexer.errors import UnavailableError
from indexer.schema import create

_SHARED_BUFFERS_MB = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4 >> 20
"""A quarter of the memory, as PostgreSQL's documentation recommends (20.4.1): new keys lie anywhere in the indexes."""
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "wal_level": "replica",
    "shared_buffers": f"{_SHARED_BUFFERS_MB}MB",
    "max_wal_size": "16GB",  # no checkpoint in the middle of one round and not of the other
    "checkpoint_timeout": "30min",
}
EMPTY = "template_bench"
"""A database with both schemas and no rows."""
_COUNTING = {
    # Loaded, but not at work: switched on for a database, and never in one that time is taken in.
    "shared_preload_libraries": "pg_stat_statements",
    "pg_stat_statements.track": "none",
}


@dataclass(frozen=True)
class Servers:
    """Both servers, and databases with the schema in them."""

    postgres: embedded.Postgres
    redis: embedded.Redis
    settings: Mapping[str, str]
    can_count: bool
    """Whether pg_stat_statements is there."""
    _numbers: Iterator[int]

    def new_database(self, template: str = EMPTY, *, counting: bool = False) -> str:
        """The name of a copy of a database, on a disk that is at rest."""
        name = f"bench_{next(self._numbers)}"
        self.postgres.create_database(name, template)
        if counting:
            self.postgres.execute(f"ALTER DATABASE {name} SET pg_stat_statements.track = 'top'")
        self.postgres.execute("CHECKPOINT")
        return name

    def new_template(self, filled: Callable[[str], Coroutine[None, None, None]]) -> str:
        """The name of a database that is filled, by its URL, to be copied."""
        name = self.new_database()
        asyncio.run(filled(self.postgres.database_url(name)))
        return name


@contextmanager
def servers() -> Iterator[Servers]:
    """The servers for the time of the block."""
    with ExitStack() as stack:
        redis = stack.enter_context(embedded.redis())
        try:
            postgres = stack.enter_context(embedded.postgres(SETTINGS | _COUNTING))
            can_count = True
        except UnavailableError:  # the library is in another package of this system
            postgres = stack.enter_context(embedded.postgres(SETTINGS))
            can_count = False
        if can_count:
            postgres.execute("CREATE EXTENSION pg_stat_statements")
        asyncio.run(create.create(postgres.create_database(EMPTY), "public"))
        yield Servers(postgres, redis, SETTINGS, can_count, count(1))
