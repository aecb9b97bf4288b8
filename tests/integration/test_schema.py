"""What `schema create` makes and `schema check` finds, against the schema that the AppView's own migrations make."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import zstandard

from indexer.commands.dlq.letters import Selection, opened
from indexer.configuration.values import quoted
from indexer.errors import ConfigError, ExitCode, SchemaError, UnavailableError
from indexer.schema import check, create, migration
from indexer.schema.connection import connected
from tests.conftest import database_url, execute

REFERENCE = Path(__file__).parents[1] / "data" / "appview_schema.sql.zst"

STEPS = [f"{step.number:04} {step.name}" for step in migration.migrations()]

# Everything that the catalog shows of a schema, as texts that do not name the schema.
CATALOG = {
    "columns": """
        SELECT c.relname, c.relkind::text, c.relpersistence::text, a.attnum, a.attname,
               format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated::text, a.attidentity::text,
               pg_get_expr(d.adbin, d.adrelid), a.attcollation::regcollation::text, a.attstorage::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE c.relnamespace = $1 AND c.relkind IN ('r', 'm', 'v', 'S') AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraints": """
        SELECT c.relname, k.conname, k.contype::text, pg_get_constraintdef(k.oid), k.condeferrable, k.convalidated
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid WHERE k.connamespace = $1 AND k.contype <> 'n'""",
    "indexes": """
        SELECT c.relname, replace(pg_get_indexdef(i.indexrelid), format(' ON %I.', nspname), ' ON '), i.indisvalid
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relnamespace = $1""",
    "views": """
        SELECT relname, relkind::text, pg_get_viewdef(oid) FROM pg_class
        WHERE relnamespace = $1 AND relkind IN ('m', 'v')""",
    "sequences": """
        SELECT c.relname, format_type(s.seqtypid, NULL), s.seqstart, s.seqincrement, s.seqmax, s.seqcycle,
               d.refobjid::regclass::text, d.refobjsubid, d.deptype::text
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
        LEFT JOIN pg_depend d ON d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')
        WHERE c.relnamespace = $1""",
    "triggers and functions": """
        SELECT tgname::text FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid
        WHERE c.relnamespace = $1 AND NOT tgisinternal
        UNION ALL SELECT proname::text FROM pg_proc p WHERE pronamespace = $1
        AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')""",
}


async def catalog(url: str, schema: str) -> dict[str, list[tuple[object, ...]]]:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"SET search_path TO {quoted(schema)}")
        oid = await connection.fetchval("SELECT oid FROM pg_namespace WHERE nspname = $1", schema)
        found = {name: await connection.fetch(query, oid) for name, query in CATALOG.items()}
        return {name: sorted((tuple(row) for row in rows), key=str) for name, rows in found.items()}
    finally:
        await connection.close()


async def fetch(url: str, query: str, *values: object) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(url)
    try:
        return [tuple(row) for row in await connection.fetch(query, *values)]
    finally:
        await connection.close()


def reference_dump() -> str:
    """The dump without psql's own commands."""
    text = zstandard.ZstdDecompressor().decompress(REFERENCE.read_bytes()).decode()
    return "\n".join(line for line in text.splitlines() if not line.startswith("\\"))


@pytest.fixture
def reference(empty_database: str) -> str:
    """A database as the AppView's migrations left it."""
    execute(empty_database, reference_dump())
    return empty_database


@pytest.fixture(scope="module")
def reference_catalog(postgres_url: str) -> Iterator[dict[str, list[tuple[object, ...]]]]:
    name = "indexer_test_reference"
    execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE template0")
    execute(database_url(postgres_url, name), reference_dump())
    yield asyncio.run(catalog(database_url(postgres_url, name), "public"))
    execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("schema", ["public", "bsky", 'Odd "schema\'s" name'])
async def test_created_tables_equal_those_of_the_appviews_migrations(
    schema: str, empty_database: str, reference_catalog: dict[str, list[tuple[object, ...]]]
) -> None:
    done = await create.create(empty_database, schema)
    assert (done.steps, done.appview) == (STEPS, "created")
    created = await catalog(empty_database, schema)
    assert len(created["columns"]) > 300
    for name, rows in reference_catalog.items():
        assert created[name] == rows, name


async def test_created_rows_are_those_that_the_appview_reads(empty_database: str) -> None:
    await create.create(empty_database, "public")
    names = await fetch(empty_database, 'SELECT name, "timestamp" FROM kysely_migration ORDER BY name')
    assert len(names) == 54
    assert (names[0][0], names[-1][0]) == ("_20230309T045948368Z", "_20251009T040222812Z")
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(row[1])) for row in names)
    assert await fetch(empty_database, "SELECT * FROM kysely_migration_lock") == [("migration_lock", 0)]
    assert await fetch(empty_database, "SELECT * FROM view_param ORDER BY name") == [
        ("whats_hot_interval", "1day"),
        ("whats_hot_like_threshold", "2"),
    ]
    # What the data plane does every few minutes; it fails on a view that was never filled.
    await fetch(empty_database, "REFRESH MATERIALIZED VIEW CONCURRENTLY algo_whats_hot_view")


async def test_creating_again_changes_nothing(empty_database: str) -> None:
    await create.create(empty_database, "public")
    before = [await catalog(empty_database, schema) for schema in ("public", "indexer")]
    done = await create.create(empty_database, "public")
    assert (done.steps, done.appview) == ([], "kept")
    assert [await catalog(empty_database, schema) for schema in ("public", "indexer")] == before


async def test_two_that_create_at_once_do_not_meet(empty_database: str) -> None:
    done = await asyncio.gather(*(create.create(empty_database, "bsky") for _ in range(4)))
    assert sorted(len(one.steps) for one in done) == [0, 0, 0, len(STEPS)]
    assert sorted(one.appview for one in done) == ["created", "kept", "kept", "kept"]


async def test_existing_tables_are_left_alone(reference: str) -> None:
    before = await catalog(reference, "public")
    done = await create.create(reference, "public")
    assert (done.steps, done.appview) == (STEPS, "kept")
    assert await catalog(reference, "public") == before
    assert await check.check_url(reference, "public") == check.Findings()


async def test_one_existing_table_is_enough_to_leave_all_alone(empty_database: str) -> None:
    await fetch(empty_database, "CREATE TABLE kysely_migration (name text)")
    assert (await create.create(empty_database, "public")).appview == "kept"
    findings = await check.check_url(empty_database, "public")
    assert check.Finding("the schema public has none of the tables", check.MIGRATE) not in findings.missing
    with pytest.raises(SchemaError):
        findings.raise_if_missing()


async def test_extension_may_live_in_any_schema(empty_database: str) -> None:
    await fetch(empty_database, "CREATE SCHEMA extensions")
    await fetch(empty_database, "CREATE EXTENSION pg_trgm WITH SCHEMA extensions")
    assert (await create.create(empty_database, "bsky")).appview == "created"


async def test_failure_leaves_nothing_behind(empty_database: str) -> None:
    await fetch(empty_database, "CREATE SCHEMA bsky")
    await fetch(empty_database, "CREATE SEQUENCE bsky.notification_pkey")  # a name that a table's index needs
    with pytest.raises(asyncpg.DuplicateTableError):
        await create.create(empty_database, "bsky")
    assert await fetch(empty_database, "SELECT nspname::text FROM pg_namespace WHERE nspname = 'indexer'") == []
    assert await fetch(empty_database, "SELECT tablename::text FROM pg_tables WHERE schemaname = 'bsky'") == []


def test_optional_steps_are_found_by_their_tables() -> None:
    assert all(step.tables for step in migration.migrations() if step.optional)


def test_steps_are_numbered_without_gaps() -> None:
    assert [step.number for step in migration.migrations()] == list(range(1, len(STEPS) + 1))
    assert STEPS[0] == "0001 initial"


async def test_own_tables_have_the_columns_that_are_promised(database: str) -> None:
    rows = await fetch(
        database,
        """SELECT table_name::text, array_agg(column_name::text ORDER BY ordinal_position)
           FROM information_schema.columns WHERE table_schema = 'indexer' GROUP BY 1""",
    )
    columns = {row[0]: row[1] for row in rows}
    letter = "id stream message_id cause class sqlstate detail attempts payload first_at last_at"
    assert columns["dead_letter"] == letter.split()
    assert columns["lease"] == ["consumer", "owner", "host", "pid", "started_at", "expires_at"]
    assert columns["migration"] == ["number", "name", "checksum", "applied_at"]


@pytest.mark.parametrize("change", ["checksum = 'other'", "number = number + 9000"])
async def test_schema_of_another_version_is_not_touched(change: str, database: str) -> None:
    await fetch(database, f"UPDATE indexer.migration SET {change}")
    with pytest.raises(SchemaError, match="another version") as fault:
        await create.create(database, "public")
    assert fault.value.exit_code is ExitCode.CONFIG
    findings = await check.check_url(database, "public")
    assert [found.what for found in findings.missing] == ["the schema `indexer` was made by another version"]


async def test_upgrade_applies_only_the_new_step(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = migration.migrations()
    newer = (*known, migration.Migration(len(known) + 1, "later", "CREATE TABLE indexer.later (id int);\n"))
    monkeypatch.setattr(migration, "migrations", lambda: newer)
    monkeypatch.setattr(check, "migrations", lambda: newer)
    findings = await check.check_url(database, "public")
    assert [str(found) for found in findings.missing] == [
        "the schema `indexer` is older than this version: run `indexer schema create`"
    ]
    assert (await create.create(database, "public")).steps == [f"{len(newer):04} later"]
    assert await check.check_url(database, "public") == check.Findings()


FAULTS = [
    ("DROP TABLE post_embed_video", "the table public.post_embed_video is missing"),
    ("ALTER TABLE record DROP COLUMN rev", "the column public.record.rev is missing"),
    ('ALTER TABLE post RENAME "hasThreadGate" TO has_thread_gate', "the column public.post.hasThreadGate is missing"),
    (
        "ALTER TABLE actor_sync ALTER did TYPE integer USING 1",
        "the column public.actor_sync.did is integer, not character varying or text",
    ),
    (
        "ALTER TABLE post ALTER langs TYPE text USING NULL",
        "the column public.post.langs is text, not jsonb",
    ),
    ("ALTER TABLE label DROP CONSTRAINT label_pkey", "public.label has no unique index on (src, uri, cid, val)"),
    (
        "ALTER TABLE label DROP CONSTRAINT label_pkey; "
        "CREATE UNIQUE INDEX ON label (src, uri, cid, val) WHERE neg IS TRUE",
        "public.label has no unique index on (src, uri, cid, val)",
    ),
    (
        "ALTER TABLE follow ADD COLUMN tier text NOT NULL",
        "the column public.follow.tier must be given and is unknown to this version",
    ),
    ("DROP SCHEMA indexer CASCADE", "the indexer's own schema `indexer` is missing"),
    ("DELETE FROM indexer.migration", "the schema `indexer` is older than this version"),
    ('ALTER TABLE "like" SET SCHEMA indexer', "the table public.like is missing"),
]


@pytest.mark.parametrize(("statement", "what"), FAULTS)
async def test_check_finds_what_is_missing(statement: str, what: str, database: str) -> None:
    await asyncio.to_thread(execute, database, statement)
    findings = await check.check_url(database, "public")
    assert [found.what for found in findings.missing] == [what]
    assert findings.missing[0].remedy
    with pytest.raises(SchemaError, match=re.escape(what)) as fault:
        findings.raise_if_missing()
    assert fault.value.exit_code is ExitCode.CONFIG


HARMLESS = [
    "ALTER TABLE post ADD COLUMN mood text",
    "ALTER TABLE post ADD COLUMN mood text NOT NULL DEFAULT ''",
    "ALTER TABLE post ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY",
    "ALTER TABLE record ALTER cid TYPE text",
    "ALTER TABLE thread_mute ADD COLUMN since text NOT NULL",
    "DROP TABLE suggested_feed",
    "ALTER TABLE label DROP CONSTRAINT label_pkey; CREATE UNIQUE INDEX ON label (val, cid, uri, src) INCLUDE (neg)",
]


@pytest.mark.parametrize("statement", HARMLESS)
async def test_check_accepts_schemas_of_other_versions_that_do_no_harm(statement: str, database: str) -> None:
    await asyncio.to_thread(execute, database, statement)
    assert await check.check_url(database, "public") == check.Findings()


async def test_missing_index_is_a_note(database: str) -> None:
    await fetch(database, "DROP INDEX notification_record_idx")
    findings = await check.check_url(database, "public")
    findings.raise_if_missing()
    assert [note.what for note in findings.notes] == ["public.notification has no index on recordUri"]


async def test_check_of_an_empty_database_says_how_to_make_the_tables(empty_database: str) -> None:
    findings = await check.check_url(empty_database, "bsky")
    assert [found.what for found in findings.missing] == [
        "the indexer's own schema `indexer` is missing",
        "the schema bsky has none of the AppView's tables",
    ]
    assert all("`indexer schema create`" in found.remedy for found in findings.missing)


async def test_other_encoding_is_found(postgres_url: str) -> None:
    name = "indexer_test_latin"
    await fetch(postgres_url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'")
    try:
        findings = await check.check_url(database_url(postgres_url, name), "public")
    finally:
        await fetch(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")
    assert findings.missing[0].what == "the database's encoding is LATIN1, not UTF8"


@pytest.fixture
async def role(empty_database: str) -> AsyncIterator[str]:
    """A role that may connect and nothing else; it owns nothing."""
    name = "indexer_test_role"
    await fetch(empty_database, f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    yield name
    await fetch(empty_database, f"DROP OWNED BY {name}")
    await fetch(empty_database, f"DROP ROLE {name}")


def as_role(url: str, role: str) -> str:
    parts = urlsplit(url)
    address = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{role}:x@{address}").geturl()


async def run_script(url: str, schema: str, role: str) -> None:
    """What `schema create --print-sql` prints, with the role's real name."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(create.script(schema).replace(f'"{create.ROLE}"', quoted(role)))
    finally:
        await connection.close()


@pytest.mark.parametrize("schema", ["public", "bsky"])
async def test_printed_statements_make_the_same_and_grant_enough(
    schema: str, role: str, empty_database: str, reference_catalog: dict[str, list[tuple[object, ...]]]
) -> None:
    await run_script(empty_database, schema, role)
    assert await catalog(empty_database, schema) == reference_catalog
    assert await check.check_url(as_role(empty_database, role), schema) == check.Findings()
    # Nothing is left to do, so it needs no right to do it.
    done = await create.create(as_role(empty_database, role), schema)
    assert (done.steps, done.appview) == ([], "kept")


async def test_printed_grants_are_enough_for_dead_letters_and_one_less_is_told(role: str, empty_database: str) -> None:
    await run_script(empty_database, "public", role)
    insert = "INSERT INTO indexer.dead_letter VALUES (DEFAULT, 's', '1-0', 'not_json', 'reject', NULL, '', 1, 'x')"
    await fetch(empty_database, insert)
    async with opened(as_role(empty_database, role)) as letters:
        (group,) = await letters.groups(Selection())
        assert await letters.delete([group["example"]]) == 1
    await fetch(empty_database, f"REVOKE DELETE ON indexer.dead_letter FROM {role}")
    with pytest.raises(SchemaError, match="may not do that with dead letters") as fault:
        async with opened(as_role(empty_database, role)) as letters:
            await letters.delete([1])
    assert "--print-sql" in fault.value.remedy


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("REVOKE DELETE, INSERT ON public.quote FROM {role}", "this role has no INSERT, DELETE on public.quote"),
        ("REVOKE SELECT ON public.thread_mute FROM {role}", "this role has no SELECT on public.thread_mute"),
        ("REVOKE ALL ON notification_id_seq FROM {role}", "this role has no USAGE on public.notification_id_seq"),
        ("REVOKE DELETE ON indexer.dead_letter FROM {role}", "this role may not use all of the schema indexer"),
        ("REVOKE ALL ON SCHEMA indexer FROM {role}", "this role may not use all of the schema indexer"),
    ],
)  # fmt: skip
async def test_each_missing_right_is_found(statement: str, what: str, role: str, empty_database: str) -> None:
    await run_script(empty_database, "public", role)
    await fetch(empty_database, statement.format(role=role))
    findings = await check.check_url(as_role(empty_database, role), "public")
    assert [found.what for found in findings.missing] == [what]


async def test_role_needs_no_right_to_create_schemas_that_were_made_for_it(role: str, empty_database: str) -> None:
    await fetch(empty_database, "CREATE EXTENSION pg_trgm")
    for schema in ("indexer", "bsky"):
        await fetch(empty_database, f"CREATE SCHEMA {schema} AUTHORIZATION {role}")
    done = await create.create(as_role(empty_database, role), "bsky")
    assert (done.steps, done.appview) == (STEPS, "created")


async def test_role_that_may_not_create_is_told_who_can(role: str, empty_database: str) -> None:
    with pytest.raises(SchemaError, match="may not create") as fault:
        await create.create(as_role(empty_database, role), "public")
    assert "--print-sql" in fault.value.remedy


async def test_server_that_is_away_and_one_that_refuses_are_told_apart(postgres_url: str, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be reached"):
        async with connected(f"postgresql://bsky:hunter2@/bsky?host={tmp_path}"):
            pass
    with pytest.raises(UnavailableError) as away:
        async with connected("postgresql://bsky:hunter2@127.0.0.1:1/bsky"):
            pass
    assert "hunter2" not in str(away.value)
    with pytest.raises(ConfigError, match="does not exist"):
        async with connected(database_url(postgres_url, "indexer_test_absent")):
            pass


async def test_optional_step_that_is_missing_is_a_note(database: str) -> None:
    optional = [step for step in migration.migrations() if step.optional]
    for step in optional:
        for table in step.tables:
            await fetch(database, f"DROP TABLE indexer.{table}")
    findings = await check.check_url(database, "public")
    assert findings.missing == ()
    assert [str(note) for note in findings.notes] == [
        f"the schema `indexer` lacks the step {step.number:04} {step.name}, for {step.optional}: "
        "run `indexer schema create`"
        for step in optional
    ]
    assert optional[0].optional == "indexer pause, resume and rate"
    assert (await create.create(database, "public")).steps == [f"{step.number:04} {step.name}" for step in optional]
    assert await check.check_url(database, "public") == check.Findings()


async def test_version_before_works_on_what_a_newer_one_has_made(database: str) -> None:
    await fetch(database, "CREATE TABLE indexer.later (id int)")
    await fetch(database, "INSERT INTO indexer.migration (number, name, checksum) VALUES (9001, 'later', 'x')")
    findings = await check.check_url(database, "public")
    assert findings.missing == ()
    assert [note.what for note in findings.notes] == [
        "the schema `indexer` has a step 9001 that this version does not know"
    ]
    with pytest.raises(SchemaError, match="step 9001"):
        await create.create(database, "public")


async def test_version_before_finds_its_own_steps_and_no_others_where_a_newer_one_added_what_is_optional(
    database: str,
) -> None:
    """It compares the ledger with what it knows, and refuses to start where there is more."""
    required = [step.number for step in migration.migrations() if not step.optional]
    assert sorted(await fetch(database, "SELECT number FROM indexer.migration")) == [(number,) for number in required]


async def test_rights_on_optional_or_unknown_tables_need_not_be_there_and_come_with_the_step(database: str) -> None:
    """An upgrade of the schema by its owner must not keep instances from a restart, nor from hearing anything."""
    role = f"indexer_test_upgrade_{os.getpid()}"
    connection = await asyncpg.connect(database)
    try:
        await connection.execute(f"CREATE ROLE {role} LOGIN")
        await connection.execute("DROP TABLE indexer.control")
        await connection.execute(create.grants("public", role))
        await create.create(database, "public")
        await connection.execute("CREATE TABLE indexer.later (id int)")
        theirs = database.replace("postgres@", f"{role}@")
        assert await check.check_url(theirs, "public") == check.Findings()
        await connection.execute(f"REVOKE ALL ON indexer.control FROM {role}")
        findings = await check.check_url(theirs, "public")
        assert findings.missing == ()
        assert [note.what for note in findings.notes] == [
            "this role may not use the table indexer.control, for indexer pause, resume and rate"
        ]
        await connection.execute(f"REVOKE ALL ON indexer.lease FROM {role}")
        findings = await check.check_url(theirs, "public")
        assert [found.what for found in findings.missing] == ["this role may not use all of the schema indexer"]
    finally:
        await connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")
        await connection.close()
