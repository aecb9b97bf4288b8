"""The rows of live records against what their records say, and rows without a live record."""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from indexer.commands.verify import rebuild
from indexer.commands.verify.finding import Check, Finding, Look
from indexer.commands.verify.rows import Rows, difference, read, tables_of
from indexer.connections.database import Connection
from indexer.fold import aturi
from indexer.fold.record_type import Table
from indexer.records import RECORDS
from indexer.records._feed_item import FEED_ITEM
from indexer.records.post.embeds import VIDEO
from indexer.sink.stale import rev_after
from indexer.sink.tables import TABLES

if TYPE_CHECKING:
    from indexer.commands.verify.mend import Mend

DAY_MS = 86_400_000
DIV_16 = "DIV-16: the reference leaves the video of a post that was deleted or updated"
DIV_17 = "DIV-17: the reference renews the record of a second create, and leaves its rows"
REVS = "the reference takes any rev, also one in the future; nobody can renew the record before that"


def checks() -> Iterator[Check]:
    """Records first: what they say; then what no record says, table by table."""
    kinds = [f"{table.name}.{what}" for table in TABLES for what in ("missing", "orphan", "differs")]
    own = ("record.did", "record.rev", "record.json", "duplicate_record.missing")
    yield Check("record", "uri", (*own, *kinds), find, mend, "record")
    for table in TABLES:
        kind = f"{table.name}.orphan"
        yield Check(table.name, table.owner, (kind,), partial(orphans, table), mend, f"{table.name}.orphans")


async def find(look: Look, uris: Sequence[str]) -> list[Finding]:
    """What is wrong with live records and their rows."""
    rows = await read(look, uris)
    limit = rev_after(look.now_ms + DAY_MS)
    found: list[Finding] = []
    for uri, record in rows.records.items():
        if record.did != aturi.authority(uri):
            found.append(Finding("record.did", uri, uri, f"is {record.did}"))
        if record.rev > limit:
            found.append(Finding("record.rev", uri, uri, f"{record.rev} is in the future", REVS, mendable=False))
        if not record.is_live or rows.kind(uri) is None:
            continue
        if uri in rows.versions:
            found += _of_record(rows, uri)
        else:
            found.append(
                Finding(
                    "record.json", uri, uri, "no valid record of its type: fetch its repository again", mendable=False
                )
            )
    return found


def _of_record(rows: Rows, uri: str) -> Iterator[Finding]:
    kind, record, row = rows.kind(uri), rows.records[uri], rows.main_row(uri)
    assert kind is not None
    dids: tuple[str, ...] = ()
    if (hanging := rows.hangs(uri)) is not None:
        dids = (aturi.authority(hanging[1]),)
    if row is not None:
        main = kind.tables[0]
        cid, came = row[main.index("cid")], row[main.index("indexedAt")]
        if cid != record.cid and came != record.indexed_at:
            # all its rows are those of another version
            yield Finding(f"{main.name}.differs", uri, uri, f"cid {cid} is not that of its record", DIV_17, dids=dids)
            return
    indexed = row is not None or uri not in rows.pointing
    for table, expected in rows.expected(uri, indexed=indexed).items():
        actual = rows.of(table, uri)
        if table is FEED_ITEM and row is None and expected and actual and kind.duplicate_key is not None:
            # of a duplicate nothing but its record says when it came, and that may have moved since
            at = table.index("sortAt")
            expected = [(*expected[0][:at], min(str(expected[0][at]), str(actual[0][at])))]
        if (wrong := difference(table, expected, actual)) is not None:
            yield Finding(f"{table.name}.{wrong[0]}", uri, uri, wrong[1], _known(rows, table, wrong[0], uri), dids=dids)


def _known(rows: Rows, table: Table, what: str, uri: str) -> str | None:
    """Why the reference may have left this."""
    if table is VIDEO and what != "missing":
        return DIV_16
    return None


async def orphans(table: Table, look: Look, owners: Sequence[str]) -> list[Finding]:
    """Rows whose record is not live, or cannot have such rows."""
    found = []
    for uri, is_known in await look.connection.fetch(look.statements.orphans(table), owners):
        known = DIV_16 if table is VIDEO and is_known else None
        why = "its record is deleted" if is_known else "there is no record of it"
        found.append(Finding(f"{table.name}.orphan", uri, uri, why, known))
    misplaced = [uri for uri in owners if table not in tables_of(RECORDS.get(aturi.parse(uri).collection))]
    if misplaced:
        told = {one.key for one in found}
        at = list(look.statements.written(table)).index(table.owner)
        there = {row[at] for row in await look.connection.fetch(look.statements.rows(table), misplaced)} - told
        why = "records of its type have no such rows"
        found += [Finding(f"{table.name}.orphan", uri, uri, why) for uri in sorted(there)]
    return found


async def mend(mend: "Mend", findings: Sequence[Finding]) -> Counter[str]:
    """Write the rows of these records anew where they differ."""
    dids = [(one.key, aturi.authority(one.key)) for one in findings if one.kind == "record.did"]
    changed: Counter[str] = Counter()
    if dids:
        columns = [list(column) for column in zip(*sorted(dids), strict=True)]

        async def correct(connection: Connection) -> None:
            await connection.fetch(mend.statements["lock_records"], columns[0])
            await connection.execute(mend.statements["correct_dids"], *columns)

        await mend.run(correct)
        changed["record.did"] = len(dids)
    others = [one for one in findings if one.kind != "record.did"]
    return changed + (await rebuild.rebuild(mend, others) if others else Counter())
