"""The commands as a person meets them: what they print, and their exit codes."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

import indexer
from indexer import _native, cli
from indexer.configuration.settings import OPTIONS
from indexer.errors import ExitCode
from tests.conftest import execute

SETTINGS = {
    "REDIS_HOST": "127.0.0.1:1",
    "DB_POSTGRES_URL": "postgresql://bsky:hunter2@127.0.0.1:1/bsky",
    "INDEXER_CONSUMER": "one",
}


def command(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run `python -m indexer` with these variables and no others of ours."""
    path = str(Path(indexer.__file__).parents[1])
    return subprocess.run(
        [sys.executable, "-m", "indexer", *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": path, **environ},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_bare_command_prints_the_help() -> None:
    found = command()
    assert (found.returncode, found.stderr) == (0, "")
    assert all(word in found.stdout for word in ("run", "demo", "schema", "exit codes"))
    assert command("schema").stdout.startswith("usage: indexer schema")


def test_version_is_an_answer_and_no_fault() -> None:
    found = command("--version")
    assert (found.returncode, found.stderr) == (0, "")
    first, *facts = found.stdout.splitlines()
    assert first == f"indexer {_native.VERSION}"
    named = dict(fact.split(": ", 1) for fact in facts)
    assert list(named) == ["commit", "build", "target", "rust", "python"]
    assert named["build"] == ("debug, not for work" if _native.DEBUG_BUILD else "optimized")
    assert platform.machine() in named["target"]
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*", named["rust"])
    assert named["python"] == f"{platform.python_implementation()} {platform.python_version()}"


def test_help_of_run_names_every_setting_with_flag_variable_and_default() -> None:
    text = " ".join(command("run", "--help").stdout.split())
    for option in OPTIONS:
        assert f"{option.flag} " in text
        default = "required" if option.default is None else f"default {option.default}"
        assert f"[{', '.join(option.variables)}; {default}]" in text
    assert "--drain" in text
    assert "--wait" in text


def test_help_loads_nothing_heavy() -> None:
    script = "import sys; from indexer import cli; cli.parser().format_help(); print(*sys.modules)"
    path = str(Path(indexer.__file__).parents[1])
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": path}
    found = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert not {"asyncio", "aiohttp", "asyncpg", "redis", "structlog"} & set(found.stdout.split())


@pytest.mark.parametrize(
    "arguments", [("unknown",), ("run", "--unknown"), ("run", "--batch"), ("schema", "drop"), ("run", "--batch-s", "3")]
)
def test_wrong_usage_is_exit_2(arguments: tuple[str, ...]) -> None:
    found = command(*arguments, **SETTINGS)
    assert found.returncode == ExitCode.USAGE
    assert "usage: indexer" in found.stderr


def test_missing_setting_is_three_lines_and_exit_78() -> None:
    found = command("run")
    assert found.returncode == ExitCode.CONFIG
    assert len(found.stderr.splitlines()) == 3
    assert "REDIS_HOST is not set" in found.stderr
    assert found.stdout == ""


def test_wrong_setting_is_exit_78_without_its_secret() -> None:
    found = command("run", **SETTINGS, INDEXER_BATCH_SIZE="none")
    assert found.returncode == ExitCode.CONFIG
    assert "INDEXER_BATCH_SIZE=none" in found.stderr
    found = command("run", **{**SETTINGS, "REDIS_HOST": "redis://:hun/ter2@cache"})
    assert found.returncode == ExitCode.CONFIG
    assert "ter2" not in found.stderr


def test_schema_is_created_then_found_complete(empty_database: str) -> None:
    incomplete = command("schema", "check", DB_POSTGRES_URL=empty_database)
    assert incomplete.returncode == ExitCode.FINDINGS
    assert "missing: the indexer's own schema" in incomplete.stdout
    assert "`indexer schema create`" in incomplete.stdout
    created = command("schema", "create", DATABASE_URL=empty_database)
    assert (created.returncode, created.stderr) == (0, "")
    assert "0001 initial" in created.stdout
    again = command("schema", "create", "--postgres-url", empty_database)
    assert "up to date" in again.stdout
    assert "left alone" in again.stdout
    assert command("schema", "check", DB_POSTGRES_URL=empty_database).returncode == 0


def test_schema_of_the_tables_is_a_setting(empty_database: str) -> None:
    created = command("schema", "create", DB_POSTGRES_URL=empty_database, DB_POSTGRES_SCHEMA="bsky")
    assert created.returncode == 0
    complete = command("schema", "check", "--postgres-schema", "bsky", DB_POSTGRES_URL=empty_database)
    assert complete.returncode == 0
    assert command("schema", "check", DB_POSTGRES_URL=empty_database).returncode == ExitCode.FINDINGS


def test_printed_statements_need_no_server_and_can_be_run(empty_database: str) -> None:
    printed = command("schema", "create", "--print-sql")
    assert printed.returncode == 0
    tables, _, grants = printed.stdout.partition("-- What the role")
    assert "GRANT" in grants
    execute(empty_database, tables)
    assert command("schema", "check", DB_POSTGRES_URL=empty_database).returncode == 0


def test_server_that_is_away_is_exit_69_without_its_password() -> None:
    found = command("schema", "check", **SETTINGS)
    assert found.returncode == ExitCode.UNAVAILABLE
    assert "cannot be reached" in found.stderr
    assert "hunter2" not in found.stderr + found.stdout


def test_fault_of_our_own_is_exit_70_with_its_trace() -> None:
    script = (
        "import sys; from indexer import cli; from indexer.schema import check\n"
        "def fail(*_): raise ZeroDivisionError('planted in a test')\n"
        "check.check_url = fail\n"
        "sys.exit(cli.main(['schema', 'check']))"
    )
    environ = {**os.environ, **SETTINGS, "PYTHONPATH": str(Path(cli.__file__).parents[1])}
    found = subprocess.run([sys.executable, "-c", script], env=environ, capture_output=True, text=True, check=False)
    assert found.returncode == ExitCode.INTERNAL
    assert "planted in a test" in found.stderr
    assert "Traceback" in found.stderr
    assert "hunter2" not in found.stderr
