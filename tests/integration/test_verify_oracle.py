"""`verify` finds nothing in what this indexer made of the oracle's cases, in the reference's known differences only."""

import importlib
from collections.abc import Iterator
from typing import Any

import asyncpg
import pytest

from indexer.commands.verify import walk
from tests.integration.verifying import findings, reconcile, verify, walking
from tests.integration.writing import writing
from tests.oracle import library

_judge: Any = importlib.import_module("tests.oracle.compare")
LONG = ("real-firehose", "real-scenarios", "real-posts", "mixed-5k-hostile", "backfill-10k")
CASES = ["real-repos", *(pytest.param(case, marks=pytest.mark.long) for case in LONG)]
UNMENDED = {"record.rev"}
"""What the reference takes and nobody can know better."""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walk, "SECOND_LOOK_S", 0.01)


def expected(case: str) -> Iterator[tuple[str, str]]:
    """Tables that the reference wrote: name, and rows as a JSON array."""
    folder = library.FOLDER / "cases" / case / "expected"
    for file in sorted(folder.iterdir()):
        table = file.name.partition(".")[0]
        yield table, f"[{','.join(_judge.lines(str(folder / f'{table}.jsonl')))}]"


async def load(database: str, case: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        for table, rows in expected(case):
            written = await connection.fetch(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = $1 "
                "AND is_generated = 'NEVER' AND (table_name, column_name) <> ('notification', 'id')",
                table,
            )
            names = ", ".join(f'"{row[0]}"' for row in written)
            await connection.execute(
                f'INSERT INTO "{table}" ({names}) '
                f'SELECT {names} FROM json_populate_recordset(NULL::public."{table}", $1)',
                rows,
            )
    finally:
        await connection.close()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES)
async def test_our_tables_are_clean(database: str, case: str) -> None:
    async with writing(database, stream=library.stream(case)) as sink:
        await sink.feed(library.messages(case))
    assert await verify(database) == {}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES)
async def test_tables_of_the_reference_have_known_differences_only(database: str, case: str) -> None:
    await load(database, case)
    async with walking(database) as walker:
        found = await findings(walker)
    assert [one for one in found if one.known is None] == []
    assert all(one.mendable for one in found if one.kind not in UNMENDED)
    await reconcile(database, may_leave=UNMENDED)
    assert (await verify(database)).keys() <= UNMENDED
