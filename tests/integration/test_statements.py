"""What messages say makes no statement: PostgreSQL counts the same statements whatever names and texts come."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from indexer import embedded
from indexer.schema import create as schema_create
from tests.acceptance.daemon import query
from tests.conftest import POSTGRES_SETTINGS
from tests.integration.test_sink_labels import labelling
from tests.integration.writing import snapshot, writing
from tests.messages import A, create, label, label_message, post, uri
from tests.oracle import library

NASTY = "';DROP TABLE post;--\" $1 $$ %s %(x)s {schema} \\' \0\U0001f600?"
"""Short enough for a name that is shown."""
CASES = ("real-scenarios", "real-firehose")
TEXTS = {"text", "displayName", "description", "name", "alt", "title", "purpose", "tags", "handle", "val"}
"""Properties of records that people write into as they please."""

SEEN = "SELECT query FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid WHERE datname = '{}'"


@pytest.fixture(scope="module")
def server() -> Iterator[embedded.Postgres]:
    settings = {"shared_preload_libraries": "pg_stat_statements", "pg_stat_statements.max": "10000"}
    with embedded.postgres({**POSTGRES_SETTINGS, **settings}) as found:
        found.execute("CREATE EXTENSION pg_stat_statements")
        asyncio.run(schema_create.create(found.create_database("template_statements"), "public"))
        yield found


@pytest.mark.long
async def test_hostile_texts_make_no_statement_of_their_own(server: embedded.Postgres) -> None:
    found = {}
    for name, nasty in (("harmless", "x x"), ("hostile", NASTY)):
        found[name] = await statements(server, name, nasty)
    assert len(found["harmless"][0]) > 40
    assert found["hostile"][0] == found["harmless"][0]
    harmless, hostile = (rows for _, rows in found.values())
    assert {table: len(rows) for table, rows in harmless.items()} == {
        table: len(rows) for table, rows in hostile.items()
    }
    assert any("DROP TABLE" in row for row in hostile["post"])


async def statements(server: embedded.Postgres, name: str, nasty: str) -> tuple[set[str], dict[str, list[str]]]:
    """The statements of a run with this text in all places that take one, and the rows that it leaves."""
    database = server.create_database(name, "template_statements")
    events = [soiled(payload, nasty) for case in CASES for payload in library.messages(case)]
    events += [create(uri(A, collection, nasty), post()) for collection in ("app.bsky.feed.post", nasty)]
    labels = [label_message(label(uri=f"{A}{n}", val=nasty.replace("\0", ""))) for n in range(3)]
    async with writing(database, notifications="all") as sink, labelling(database) as labeller:
        server.execute("SELECT pg_stat_statements_reset()")
        await sink.feed(events, 100)
        await labeller.feed([*labels, label_message({"val": nasty})])
        rows = await query(server.url, SEEN.format(name))
        return {row[0] for row in rows}, await snapshot(sink.pool)


def soiled(payload: bytes, nasty: str) -> bytes:
    """A message with a text in the place of everything in its record that people write."""

    def of(name: str, value: Any) -> Any:
        match value:
            case dict():
                return {key: of(key, each) for key, each in value.items()}
            case list():
                return [of(name, each) for each in value]
            case str() if name in TEXTS:
                return nasty
        return value

    message = json.loads(payload)
    return json.dumps({**message, "record": of("", message["record"])} if "record" in message else message).encode()
