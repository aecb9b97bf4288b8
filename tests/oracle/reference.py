"""A database as the reference indexer left it: the expected tables of a case, loaded."""

import json
from pathlib import Path
from typing import Any

import asyncpg
import zstandard

from tests.oracle.library import FOLDER


async def load(connection: "asyncpg.Connection[Any]", case: str, notifications: str = "live") -> None:
    """Fill the empty tables of the schema `public`."""
    folder = FOLDER / "cases" / case
    for file in sorted((folder / "expected").iterdir()):
        table = file.name.partition(".")[0]
        if table == "notification" and notifications == "updates":
            file = folder / "expected-updates" / file.name
        await _fill(connection, table, _rows(file))


def _rows(file: Path) -> list[str]:
    with file.open("rb") as packed:
        text: bytes = zstandard.ZstdDecompressor().stream_reader(packed).read()
    return text.decode().removesuffix("\n").split("\n") if text else []


async def _fill(connection: "asyncpg.Connection[Any]", table: str, rows: list[str]) -> None:
    found = await connection.fetch(
        "SELECT attname::text FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = ''",
        f'public."{table}"',
    )
    if not found or not rows:
        return
    names = [row[0] for row in found if row[0] in json.loads(rows[0])]
    columns = ", ".join(f'"{name}"' for name in names)
    for first in range(0, len(rows), 5000):
        await connection.execute(
            f'INSERT INTO public."{table}" ({columns}) SELECT {columns}'
            f' FROM json_populate_recordset(NULL::public."{table}", $1::json)',
            "[" + ",".join(rows[first : first + 5000]) + "]",
        )
