"""The commands `verify` and `reconcile`, from settings to lines."""

import argparse
import asyncio
import json
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from indexer.database import open_pool
from indexer.errors import ConfigError, ExitCode, SchemaError
from indexer.schema import catalog
from indexer.schema import check as schema_check
from indexer.schema.connection import connected
from indexer.schema.needs import TABLES
from indexer.verify.checks import all_checks
from indexer.verify.finding import Check, selected
from indexer.verify.ledger import Ledger, Pass
from indexer.verify.mend import Mend
from indexer.verify.progress import Progress
from indexer.verify.report import Report, changes
from indexer.verify.sample import LEAST_ROWS
from indexer.verify.statements import VerifyStatements
from indexer.verify.walk import PORTION, Pace, Walker


async def verify(given: argparse.Namespace, settings: Mapping[str, Any]) -> int:
    """Look; exit code 1 where something is wrong."""
    stop = _stopped_by_signals()
    report = Report(given.examples, strict=given.strict)
    async with _walker(given, settings, writes=False) as (walker, checks):
        lengths = await _lengths(walker, checks, given.sample)
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
        run = _Run(given, walker, checks, settings["postgres_schema"])
        await (run.some(keys) if keys else run.all(stop))
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


class _Run:
    """One run of `reconcile`."""

    def __init__(self, given: argparse.Namespace, walker: Walker, checks: list[Check], schema: str) -> None:
        self._given = given
        self._walker = walker
        self._checks = checks
        self._mend = Mend(walker)
        task = {"schema": schema, "only": sorted(set(given.only)), "sample": given.sample}
        self._ledger = Ledger(walker.pool, walker.statements, json.dumps(task))
        self.changed: Counter[str] = Counter()
        self.left = self._mend.left

    async def some(self, keys: Mapping[str, list[str]]) -> None:
        """What belongs to these URIs and DIDs."""
        for check in self._checks:
            mine = keys["did" if check.column == "did" else "uri"] if not check.numbered else []
            for first in range(0, len(mine), PORTION):
                await self._do(check, await self._walker.find_twice(check, mine[first : first + PORTION]))
        if not self._given.dry_run:
            await self._mend.count()

    async def all(self, stop: asyncio.Event) -> None:
        """Every pass, from where a run before was broken off."""
        dry = self._given.dry_run
        before = {} if dry else await self._ledger.take(restart=self._given.restart)
        lengths = await _lengths(self._walker, self._checks, self._given.sample)
        progress = Progress({name: length * share for name, (length, share) in lengths.items()})
        if before:
            done = sum(one.done for one in before.values())
            self._tell(f"goes on where a run was broken off: {done} of {len(self._checks)} passes are done")
            if not dry:
                await self._mend.count()  # what it marked
        for check in self._checks:
            one = before.get(check.name) or Pass(check.name, random.getrandbits(32))
            self.changed += one.changed
            if not one.done and not stop.is_set():
                await self._pass(check, one, lengths[check.name], progress, stop)
            progress.ended(check.name, one.keys)
        progress.close()
        if not dry and not stop.is_set():
            await self._ledger.finish()

    async def _pass(
        self, check: Check, one: Pass, length: tuple[float, float], progress: Progress, stop: asyncio.Event
    ) -> None:
        dry = self._given.dry_run
        if not dry:
            await self._ledger.begin(one)
        rows, fraction = length
        async for portion, findings in self._walker.walk(check, fraction, one.seed, one.position, rows):
            one.changed += await self._do(check, findings)
            one.position, one.keys = portion.position, one.keys + portion.keys
            if not dry:
                await self._walker.patiently(lambda: self._ledger.note(one))
            progress.tell(check.name, one.keys, self.changed.total())
            if stop.is_set():
                return
        one.done = True
        if not dry:
            await self._walker.patiently(lambda: self._ledger.note(one))

    async def _do(self, check: Check, findings: "list[Any]") -> Counter[str]:
        if self._given.dry_run:
            self.left += [one for one in findings if not one.mendable]
            changed = Counter(one.kind for one in findings if one.mendable)
        else:
            changed = await self._mend.portion(check, findings) if findings else Counter[str]()
        self.changed += changed
        return changed

    def _tell(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")


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
        existing = await catalog.tables(connection, schema)
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
        yield Walker(pool, VerifyStatements(schema, absent), pace, given.only, has_own, notes), checks
    except (asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedColumnError, asyncpg.UndefinedTableError) as fault:
        raise SchemaError(
            f"`{name}` cannot look at all tables", str(fault), "`indexer schema check` says what is missing, and why"
        ) from None
    finally:
        await pool.close()


async def _lengths(walker: Walker, checks: list[Check], sample: float) -> dict[str, tuple[float, float]]:
    """By pass: about how many rows the table has, and which share of them is looked at."""
    found = {}
    for check in checks:
        rows = await walker.estimate(check)
        share = 1.0 if sample >= 1 or rows <= LEAST_ROWS else min(max(sample, LEAST_ROWS / rows), 1.0)
        found[check.name] = rows, share
    return found


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
