"""`indexer doctor` where a setting cannot be used: it says so, and looks at all that does not need it."""

import asyncio

import pytest

from indexer.commands.doctor import streams
from indexer.commands.doctor.examination import examine
from indexer.commands.doctor.subject import Subject
from indexer.configuration import origins as configuration
from indexer.configuration.settings import option


@pytest.mark.parametrize(
    ("field", "checks"),
    [("postgres_schema", 2), ("pool_max_size", 1), ("mode", 0), ("aggregates", 0), ("plc_url", 0), ("redis_url", 0)],
)
def test_a_setting_is_wrong(
    database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, field: str, checks: int
) -> None:
    monkeypatch.setattr(streams, "WATCH_S", 0.1)
    right = {"REDIS_HOST": redis_url, "DB_POSTGRES_URL": database, "INDEXER_CONSUMER": "one"}
    name = option(field).variables[0]
    read = configuration.read({**right, "ENABLE_DID_RESOLUTION": "false", name: 'ftp://"'}, {})
    assert field not in read.found
    report = asyncio.run(examine(Subject(read)))
    assert "configuration.refused" in {one.code for one in report.findings}
    assert len([one for one in report.unseen if name in one.why]) == checks, report.unseen
