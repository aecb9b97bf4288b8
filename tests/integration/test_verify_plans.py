"""No statement of `verify` and `reconcile` reads a whole table of the AppView."""

import json
from collections.abc import Iterator
from typing import Any

from indexer.commands.verify.checks import all_checks
from indexer.commands.verify.statements import VerifyStatements
from indexer.sink.counts import COLUMNS
from indexer.sink.tables import TABLES
from tests.integration.writing import writing

VALUES = {"_text": ["at://a"], "text[]": ["at://a"], "int8[]": [1], "text": "a", "varchar": "a", "int4": 1, "int8": 1}
"""Of parameters, by type."""
NAMED = """
    ids_behind quotes_by_cid posts_that_stand records_looked_at duplicates_looked_at posts_hung_on correct_dids
    wrong_gate_flags replies_looked_at set_invalid commit_rows lock_commit_rows thaw_commits drop_commit_rows
    notifications_of_nothing violating clear_violations pointing_duplicates revs_looked_at replies_of
    record_json removals
"""


def texts(statements: VerifyStatements) -> list[tuple[str, str]]:
    found = [(name, statements[name]) for name in NAMED.split()]
    for aggregate, columns in COLUMNS.items():
        found.append((aggregate, statements.wrong_counters(aggregate, columns)))
    for table in TABLES:
        found += [(f"{table.name} rows", statements.rows(table)), (f"{table.name} orphans", statements.orphans(table))]
        found += [
            (f"{table.name} uncounted", statements.uncounted(table, counter.by, counter.aggregate))
            for counter in table.counters
        ]
    pages = sorted({(check.table, check.column) for check in all_checks()})
    found += [(f"first page of {table}", statements.first_rows(table, column)) for table, column in pages]
    found += [(f"page of {table}", statements.rows_behind(table, column)) for table, column in pages if column != "id"]
    return found


LEADING = """
SELECT c.relname::text, a.attname::text FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]"""


def scans(node: dict[str, Any], leading: dict[str, str]) -> Iterator[str]:
    """What reads a whole table, or a whole index: its first column is not asked for."""
    kind = node["Node Type"]
    if kind == "Seq Scan":
        yield node["Relation Name"]
    if "Index" in kind and (name := node.get("Index Name")):
        column = leading[name]
        if column not in node.get("Index Cond", ""):
            yield f"{name} without {column}"
    for below in node.get("Plans", ()):
        yield from scans(below, leading)


async def test_every_statement_has_an_index(database: str) -> None:
    """Scans of whole tables are off where there is another way (`begin_look`), so that one shows here."""
    statements, found = VerifyStatements("public"), []
    async with writing(database, connections=1) as sink, sink.pool.acquire() as connection:
        leading: dict[str, str] = {row[0]: row[1] for row in await connection.fetch(LEADING)}
        await connection.execute(statements["begin_look"])
        for name, sql in texts(statements):
            kinds = (await connection.prepare(sql)).get_parameters()
            plan = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {sql}", *(VALUES[kind.name] for kind in kinds))
            found += [(name, scan) for scan in scans(json.loads(plan)[0]["Plan"], leading)]
        await connection.execute("ROLLBACK")
    assert found == []
