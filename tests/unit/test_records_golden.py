"""Each record type against rows that the reference indexer wrote (tests/fixtures/records/README.md)."""

import json
from pathlib import Path
from typing import Any

import pytest

from indexer.records import RECORDS
from tests.unit.folding import tables_after

FOLDER = Path(__file__).parents[1] / "fixtures" / "records"
CASES = sorted(
    path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("*/*.json") if not path.name.endswith(".rows.json")
)


@pytest.mark.parametrize("collection", sorted(RECORDS))
def test_every_record_type_has_a_golden_case(collection: str) -> None:
    assert any(case.startswith(f"{collection}/") for case in CASES)


def test_every_golden_file_belongs_to_a_known_record_type() -> None:
    assert {case.partition("/")[0] for case in CASES} == set(RECORDS)
    assert len(list(FOLDER.glob("*/*"))) == 2 * len(CASES)


@pytest.mark.parametrize("case", CASES)
def test_record_becomes_its_golden_rows(case: str) -> None:
    message = (FOLDER / case).read_bytes().rstrip(b"\n")
    expected = json.loads((FOLDER / case).with_suffix(".rows.json").read_text(encoding="utf-8"))
    found = {table: [_plain(table, row) for row in rows] for table, rows in tables_after(message).rows.items()}
    assert found == expected


def _plain(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Jsonb columns as values, as the database gives them back."""
    jsonb = ("langs", "tags") if table == "post" else ()
    return {name: json.loads(value) if name in jsonb and value else value for name, value in row.items()}
