"""More databases and servers than the shared fixtures have."""

from collections.abc import Iterator

import pytest

from indexer import embedded


@pytest.fixture
def other_database(postgres_url: str, template: str, _names: Iterator[str]) -> Iterator[str]:
    """As `database`, another one."""
    from tests.conftest import _database

    yield from _database(postgres_url, next(_names), template)


@pytest.fixture
def redis_server() -> Iterator[embedded.Redis]:
    """A server of this test's own, to be filled, stopped and started."""
    with embedded.redis() as server:
        yield server
