"""Dead letters put where `indexer dlq` finds them, and the command itself."""

import asyncio
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

import indexer
from indexer import cli
from indexer.sink.dead_letter import DeadLetter, insert_dead_letters
from indexer.sink.statements import Statements

STREAM = "firehose_live"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command wrote, and its exit code."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]
"""`indexer dlq` with these arguments, in this process."""


@pytest.fixture
def dlq(database: str, redis_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    for name, text in environment(database, redis_url).items():
        monkeypatch.setenv(name, text)

    def command(*arguments: object) -> Said:
        try:
            code = cli.main(["dlq", *map(str, arguments)])
        except SystemExit as ended:
            code = int(ended.code or 0)
        return Said(code, *capsys.readouterr())

    return command


def environment(database: str, redis_url: str) -> dict[str, str]:
    """What the command needs of the environment, as a process of its own."""
    path = str(Path(indexer.__file__).parents[1])
    return {"PATH": os.environ["PATH"], "PYTHONPATH": path, "DB_POSTGRES_URL": database, "REDIS_HOST": redis_url}


def letter(
    payload: bytes,
    message_id: str,
    cause: str = "bad_rev",
    stream: str = STREAM,
    detail: str = "why",
    attempts: int = 1,
) -> DeadLetter:
    sqlstate = cause.removeprefix("db_") if cause.startswith("db_") else None
    kind = "reject" if sqlstate is None else "data"
    return DeadLetter(stream, message_id, cause, kind, sqlstate, detail, attempts, payload)


def keep(database: str, letters: Iterable[DeadLetter]) -> list[int]:
    """Keep letters as a lane does; their numbers."""

    async def run() -> list[int]:
        connection = await asyncpg.connect(database)
        try:
            before = await connection.fetchval("SELECT coalesce(max(id), 0) FROM indexer.dead_letter")
            await insert_dead_letters(connection, Statements("public"), list(letters))
            rows = await connection.fetch("SELECT id FROM indexer.dead_letter WHERE id > $1 ORDER BY id", before)
            return [row["id"] for row in rows]
        finally:
            await connection.close()

    return asyncio.run(run())


def rows(database: str, query: str = "SELECT id, payload FROM indexer.dead_letter ORDER BY id") -> list[Any]:
    async def run() -> list[Any]:
        connection = await asyncpg.connect(database)
        try:
            return [tuple(row) for row in await connection.fetch(query)]
        finally:
            await connection.close()

    return asyncio.run(run())
