"""A laboratory for the tests of this folder: one database, emptied between two uses."""

from collections.abc import Iterator

import pytest

from indexer.configuration.values import quoted
from tests.conftest import database_url, execute
from tests.convergence.laboratory import Laboratory, laboratory


@pytest.fixture(scope="session")
def convergence_database(postgres_url: str, template: str) -> Iterator[str]:
    """The URL of a database with both schemas and no rows."""
    name = f"{template}_convergence"
    execute(postgres_url, f"CREATE DATABASE {quoted(name)} TEMPLATE {quoted(template)}")
    yield database_url(postgres_url, name)
    execute(postgres_url, f"DROP DATABASE {quoted(name)} WITH (FORCE)")


@pytest.fixture(scope="module")
def lab(convergence_database: str) -> Iterator[Laboratory]:
    with laboratory(convergence_database) as place:
        yield place
