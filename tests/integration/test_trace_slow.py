"""`indexer trace` where one of its questions takes longer than it may: the others are answered."""

import asyncio
import json

import asyncpg
import pytest

from indexer import cli
from indexer.commands.trace import tables
from tests.integration.test_trace import POST, index
from tests.messages import create, post


@pytest.mark.parametrize("table", ["public.label", "indexer.dead_letter"])
async def test_what_takes_too_long_is_left_out(
    database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], table: str
) -> None:
    monkeypatch.setenv("DB_POSTGRES_URL", database)
    monkeypatch.setenv("REDIS_HOST", redis_url)
    monkeypatch.setattr(tables, "LIMIT_MS", 300)
    await asyncio.to_thread(index, database, create(POST, post()))
    connection = await asyncpg.connect(database)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
            assert await asyncio.to_thread(cli.main, ["trace", "--json", "--interval", "0", POST]) == 0
    finally:
        await connection.close()
    said = json.loads(capsys.readouterr().out)
    assert [fact["state"] for fact in said["facts"]] == ["indexed"]
    (note,) = said["notes"]
    assert "left out" in note
