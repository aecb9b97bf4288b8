"""The numbered steps that make the indexer's own schema, and which of them a database has had."""

import hashlib
import re
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from indexer.errors import SchemaError

if TYPE_CHECKING:
    from indexer.connections.database import Connection


OWN_SCHEMA = "indexer"

# The ledger of the steps is not a step: it must be there before the first.
SCHEMA = "CREATE SCHEMA indexer;\n"
LEDGER = """\
CREATE TABLE indexer.migration (
    number integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: a file `NNNN_name.sql`."""

    number: int
    name: str
    sql: str

    @property
    def optional(self) -> str | None:
        """What cannot be done without it, where all else can: in the file's first line."""
        found = re.match(r"-- optional: (.+)\n", self.sql)
        return found[1] if found else None

    @property
    def tables(self) -> tuple[str, ...]:
        """The tables that it makes."""
        return tuple(re.findall(r"^CREATE TABLE indexer\.(\w+)", self.sql, re.MULTILINE))

    @property
    def checksum(self) -> str:
        """SHA-256 of the file, in hex."""
        return hashlib.sha256(self.sql.encode()).hexdigest()

    @property
    def entry(self) -> str:
        """The statement that notes it in the ledger.

        An optional step is not noted, since versions that do not know it refuse what they find there: it has been
        applied where its tables are.
        """
        if self.optional:
            return ""
        row = f"({self.number}, '{self.name}', '{self.checksum}')"
        return f"INSERT INTO indexer.migration (number, name, checksum) VALUES {row};\n"


def migrations() -> tuple[Migration, ...]:
    """All steps that this version knows, by number."""
    files = resources.files("indexer.schema").joinpath("migrations").iterdir()
    named = sorted((file.name.removesuffix(".sql"), file) for file in files if file.name.endswith(".sql"))
    return tuple(
        Migration(int(name.partition("_")[0]), name.partition("_")[2], file.read_text(encoding="utf-8"))
        for name, file in named
    )


async def applied(connection: "Connection") -> dict[int, str] | None:
    """Checksums by number of the steps that the database has had; None where there is no ledger."""
    if await connection.fetchval("SELECT to_regclass('indexer.migration')") is None:
        return None
    rows = await connection.fetch("SELECT number, checksum FROM indexer.migration")
    there = {
        row[0] for row in await connection.fetch("SELECT tablename::text FROM pg_tables WHERE schemaname = 'indexer'")
    }
    optional = {step.number: step.checksum for step in migrations() if step.optional and there.issuperset(step.tables)}
    return {row["number"]: row["checksum"] for row in rows} | optional


async def migrate(connection: "Connection") -> list[str]:
    """Apply the steps that are missing, inside the caller's transaction; the names of those.

    SchemaError where the database has had steps that this version does not know, or others under their numbers.
    """
    had = await applied(connection)
    if had is None:
        # An empty schema may have been made for a role that may not create schemas.
        exists = await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = 'indexer'")
        await connection.execute(LEDGER if exists else SCHEMA + LEDGER)
        had = {}
    known = {step.number: step for step in migrations()}
    for number, checksum in had.items():
        if number not in known or known[number].checksum != checksum:
            raise SchemaError(
                f"the schema `indexer` is at a step {number} that this version does not know",
                "it was made by another version of the indexer",
                "run the version that made it, or a newer one",
            )
    todo = [step for number, step in sorted(known.items()) if number not in had]
    for step in todo:
        await connection.execute(step.sql + step.entry)
    return [f"{step.number:04} {step.name}" for step in todo]
