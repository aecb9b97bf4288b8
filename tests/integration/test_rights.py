"""Commands that read, with a role that may not read everything: three lines that say so."""

from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import pytest

from indexer import cli
from indexer.errors import ExitCode
from tests.conftest import execute
from tests.integration.test_trace import add, index
from tests.messages import A, create, post, post_uri

POST = post_uri(A, "p")


@pytest.fixture
def reader(database: str) -> Iterator[str]:
    """The URL for a role that may read the AppView's tables and nothing else."""
    parts = urlsplit(database)
    role = f"reader_{parts.path.strip('/')}"
    execute(database, f"CREATE ROLE {role} LOGIN; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
    yield urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rpartition('@')[2]}"))
    execute(database, f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_schema_indexer_may_not_be_read(
    reader: str, database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    index(database, create(POST, post()))
    add(redis_url, create(POST, post()))
    monkeypatch.setenv("DB_POSTGRES_URL", reader)
    monkeypatch.setenv("REDIS_HOST", redis_url)
    for command in (["verify", "--all"], ["shadow", "--wait", "0"], ["trace", POST, "--interval", "0"]):
        assert cli.main(command) == ExitCode.CONFIG, command
        what, cause, remedy = capsys.readouterr().err.splitlines()
        assert what == f"indexer: `{command[0]}` cannot look at all tables"
        assert "permission denied for schema indexer" in cause
        assert "schema create --print-sql" in remedy
