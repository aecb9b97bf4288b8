"""The commands `verify` and `reconcile`, from settings to lines."""

import argparse
import asyncio
import json
import random
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from indexer.commands.verify.checks import all_checks
from indexer.commands.verify.finding import Check, selected
from indexer.commands.verify.progress import Progress
from indexer.commands.verify.reconciliation import Reconciliation, lengths_of
from indexer.commands.verify.report import Report, changes
from indexer.commands.verify.statements import VerifyStatements
from indexer.commands.verify.walk import Pace, Walker
from indexer.connections.database import open_pool
from indexer.errors import ConfigError, ExitCode, SchemaError
from indexer.schema import catalog
from indexer.schema import check as schema_check
from indexer.schema.connection import connected, needing_to_read
from indexer.schema.needs import TABLES


async def verify(given: argparse.Namespace, settings: Mapping[str, Any]) -> int:
    """Look; exit code 1 where something is wrong."""
    stop = _stopped_by_signals()
    report = Report(given.examples, strict=given.strict)
    async with _walker(given, settings, writes=False) as (walker, checks):
        lengths = await lengths_of(walker, checks, given.sample)
        progress = Progress({name: length * share for name, (length, share) in lengths.items()})
        for check in checks:
            if stop.is_set():
                break
            length, fraction = lengths[check.name]
            async for portion, findings in walker.walk(check, fraction, random.getrandbits(32), None, length):
                report.looked_at[check.name] += portion.keys
                report.add(findings)
                progress.tell(check.name, report.looked_at[check.name], report.total)
                if stop.is_set():
                    break
            progress.ended(check.name, report.looked_at[check.name])
        progress.close()
        notes = [*walker.notes, *(["broken off: this is not all"] if stop.is_set() else [])]
    if given.json:
        _say(report.document(notes, complete=not stop.is_set(), sample=given.sample))
    else:
        _say(*report.lines(notes))
    if stop.is_set():
        return ExitCode.STOPPED_EARLY
    return ExitCode.FINDINGS if report.faults else ExitCode.DONE


async def reconcile(given: argparse.Namespace, settings: Mapping[str, Any]) -> int:
    """Mend; exit code 1 where something could not be, 75 where it was broken off."""
    stop = _stopped_by_signals()
    keys = _keys(given)
    async with _walker(given, settings, writes=True) as (walker, checks):
        run = Reconciliation(walker, checks, given.sample, dry_run=given.dry_run)
        await (run.some(keys) if keys else run.all(stop, restart=given.restart))
    left = [one for one in run.left if one.known is None or one.mendable]
    broken_off = stop.is_set() and not keys
    if given.json:
        fields = {
            "complete": not broken_off,
            "dry_run": given.dry_run,
            "changed": dict(sorted(run.changed.items())),
            "left": [{"class": one.kind, "key": one.key, "detail": one.detail} for one in run.left],
            "notes": walker.notes,
        }
        _say(json.dumps(fields, indent=2))
    else:
        _say(*changes(run.changed, run.left, dry=given.dry_run), *(f"note: {note}" for note in walker.notes))
        _say(*(["broken off: the same command goes on where it was"] if broken_off else []))
    if broken_off:
        return ExitCode.STOPPED_EARLY
    return ExitCode.FINDINGS if left or (given.dry_run and run.changed) else ExitCode.DONE


@asynccontextmanager
async def _walker(
    given: argparse.Namespace, settings: Mapping[str, Any], *, writes: bool
) -> AsyncIterator[tuple[Walker, list[Check]]]:
    """Connections, and the checks that this database and `--only` allow."""
    url, schema = settings["postgres_url"], settings["postgres_schema"]
    name = "reconcile" if writes else "verify"
    notes: list[str] = []
    async with connected(url, name) as connection:
        if writes:
            (await schema_check.check(connection, schema)).raise_if_missing()
            if not await connection.fetchval("SELECT to_regclass('indexer.reconcile') IS NOT NULL"):
                raise SchemaError(
                    "the table indexer.reconcile is missing",
                    "the schema `indexer` is older than this version",
                    "run `indexer schema create`; instances go on meanwhile",
                )
        existing = await catalog.tables(connection, schema)
        with needing_to_read(name):
            has_own = await connection.fetchval("SELECT to_regclass('indexer.account_deletion') IS NOT NULL")
    if not existing:
        raise SchemaError(
            f"the schema {schema} has none of the AppView's tables",
            "they are in another schema, or in another database",
            "set DB_POSTGRES_SCHEMA or DB_POSTGRES_URL",
        )
    absent = {
        (table.name, column)
        for table in TABLES
        if table.name in existing
        for column in table.optional - existing[table.name].columns.keys()
    }
    missing = [table.name for table in TABLES if table.name not in existing]
    notes += [f"{schema}.{table} is missing: not looked at" for table in missing]
    checks = [
        check
        for check in all_checks()
        if check.table in existing and any(selected(kind, given.only) for kind in check.kinds)
    ]
    pool = await open_pool(url, name, 1, 2, None)
    try:
        pace = Pace(given.pause / 1000, None if given.rate == "off" else given.rate)
        with needing_to_read(name):
            yield Walker(pool, VerifyStatements(schema, absent), pace, given.only, has_own, notes), checks
    finally:
        await pool.close()


def _keys(given: argparse.Namespace) -> dict[str, list[str]] | None:
    """The URIs and DIDs that are named, None where none are."""
    named = [*given.uri, *given.did]
    if given.keys:
        try:
            text = sys.stdin.read() if given.keys == "-" else Path(given.keys).read_text(encoding="utf-8")
        except (OSError, ValueError) as fault:
            raise ConfigError(
                f"--keys {given.keys} cannot be read", str(fault), "name a file with a URI or DID a line"
            ) from None
        named += [line.strip() for line in text.splitlines() if line.strip()]
    if not named:
        if given.keys:
            raise ConfigError(
                f"--keys {given.keys} names nothing", "there is no line in it", "name a URI or DID a line"
            )
        return None
    for name in named:
        if not name.startswith(("at://", "did:")):
            raise ConfigError(f"{name[:200]!r} is no key", "a key is a URI (at://…) or a DID (did:…)", "correct it")
    unique = list(dict.fromkeys(named))
    return {
        "uri": [name for name in unique if name.startswith("at://")],
        "did": [name for name in unique if name.startswith("did:")],
    }


def _stopped_by_signals() -> asyncio.Event:
    """Set by SIGINT and SIGTERM: the portion in hand is finished."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def _say(*lines: str) -> None:
    sys.stdout.writelines(f"{line}\n" for line in lines)
