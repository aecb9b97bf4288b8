"""Statements are our own text: nothing of a message is in them, and nothing in them outlives a transaction."""

import ast
import re

import pytest

from tests.unit.sql import Package, called

OF_SESSIONS = re.compile(
    r"""(?:\A|;)\s*SET\s+(?!LOCAL\b|TRANSACTION\b)|\bRESET\b|\bLISTEN\b|\bNOTIFY\b|pg_notify|\bPREPARE\b|\bDEALLOCATE\b|\bDISCARD\b
    |\bWITH\s+HOLD\b|\bCREATE\s+TEMP(?:ORARY)?\s(?![^;]*\bON\s+COMMIT\s+DROP\b)|\bpg_(?:try_)?advisory_(?!xact)\w+|\bset_config\((?![^)]*true\s*\))|\bLOAD\s+'""",
    re.VERBOSE,
)
"""SQL whose effect outlives its transaction: behind a pooler the next transaction is in another session."""
METHODS_OF_SESSIONS = {"prepare", "add_listener", "set_type_codec", "set_builtin_type_codec"}


def foreign(package: Package) -> list[str]:
    """What is executed and not our own."""
    return [found for place, text in package.executed() if (found := package.foreign(place, text)) is not None]


@pytest.fixture(scope="module")
def package() -> Package:
    return Package.installed()


def test_every_statement_is_our_own_text(package: Package) -> None:
    assert len(list(package.executed())) > 80, "it does not find the statements any more"
    assert foreign(package) == []


def test_statements_of_shadow_are_our_own_text() -> None:
    package = Package.installed("commands/shadow/")
    assert len(list(package.executed())) > 15, "it does not find the statements any more"
    assert foreign(package) == []


@pytest.mark.parametrize(
    "source",
    [
        "async def write(c, event): await c.execute(f\"DELETE FROM post WHERE uri = '{event.uri}'\")",
        "async def write(c, uri): await c.fetch('SELECT ' + uri)\nasync def all(c, event): await write(c, event.uri)",
        "async def write(c, uri): await c.fetchval('SELECT %s' % uri)",
        "async def write(c, uri): await c.fetchrow('SELECT {}'.format(uri))",
        "async def write(c, uris):\n    sql = 'SELECT'\n    for uri in uris: sql += uri\n    await c.execute(sql)",
        "class Sink:\n    def __init__(self, message): self._sql = f'-- {message.id}'\n"
        "    async def write(self, c): await c.execute(self._sql)",
        "def text(event): return f'SELECT {event.cid}'\nasync def write(c, event): await c.execute(text(event))",
        "async def write(c, dids): await c.execute(', '.join(f\"'{did}'\" for did in dids))",
        "async def write(c, texts): await c.execute(*texts)",
    ],
)
def test_text_of_a_message_is_found_in_a_statement(source: str) -> None:
    assert len(foreign(Package({"planted.py": source}))) == 1


def test_nothing_of_a_session_is_used(package: Package) -> None:
    texts = [*package.texts(), *Package.installed("commands/shadow/").texts(), *package.scripts()]
    assert any("SET LOCAL lock_timeout" in text for text in texts), "it does not find the statements any more"
    assert [text for text in texts if OF_SESSIONS.search(text)] == []
    calls = [call for _, call in package.calls if called(call) in METHODS_OF_SESSIONS and call.args]
    assert [ast.unparse(call) for call in calls] == []
    given = [each for _, call in package.calls for each in call.keywords if each.arg == "server_settings"]
    # a name is all that a pooler carries from connection to connection
    assert given
    for each in given:
        assert isinstance(each.value, ast.Dict)
        assert [ast.unparse(key) for key in each.value.keys if key is not None] == ["'application_name'"]


@pytest.mark.parametrize(
    "statement",
    [
        "SET statement_timeout = 1",
        "BEGIN; SET SESSION lock_timeout = 1",
        "SELECT set_config('jit', 'off', false)",
        "RESET ALL",
        "LISTEN news",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_lock_shared(1)",
        "SELECT pg_advisory_unlock_all()",
        "CREATE TEMP TABLE t (a int)",
        "CREATE TEMP TABLE t (a int); CREATE TEMP TABLE u (a int) ON COMMIT DROP",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "PREPARE p AS SELECT 1",
        "DISCARD ALL",
    ],
)
def test_statement_of_a_session_is_found(statement: str) -> None:
    (text,) = Package({"planted.py": f"SQL = {statement!r}"}).texts()
    assert OF_SESSIONS.search(text)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE t\nSET a = 1",
        "BEGIN;\nSET LOCAL jit = off",
        "CREATE TEMP TABLE t (a int) ON COMMIT DROP",
        "SELECT pg_try_advisory_xact_lock(1)",
        "SELECT set_config('jit', 'off', true)",
    ],
)
def test_statement_of_a_transaction_is_none_of_a_session(statement: str) -> None:
    assert not OF_SESSIONS.search(statement)
