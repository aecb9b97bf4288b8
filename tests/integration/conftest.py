"""More databases and servers than the shared fixtures have."""

from collections.abc import Iterator

import pytest

from indexer import embedded


@pytest.fixture
def redis_server() -> Iterator[embedded.Redis]:
    """A server of this test's own, to be filled, stopped and started."""
    with embedded.redis() as server:
        yield server
