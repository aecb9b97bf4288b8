"""More databases and servers than the shared fixtures have."""

from collections.abc import Iterator

import pytest

from indexer import embedded
from tests.conftest import database_url, execute


@pytest.fixture
def redis_server() -> Iterator[embedded.Redis]:
    """A server of this test's own, to be filled, stopped and started."""
    with embedded.redis() as server:
        yield server


@pytest.fixture(scope="session")
def shared_database(postgres_url: str, template: str) -> Iterator[str]:
    """As `database`, for all tests that leave nothing in it: to make one takes longer than to look at it."""
    name = f"{template}_shared"
    execute(postgres_url, f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    yield database_url(postgres_url, name)
    execute(postgres_url, f'DROP DATABASE "{name}" WITH (FORCE)')
