"""The commands `schema create`, `schema check` and `schema drop`; what they do is in `schema/`."""

import argparse
import os
import sys

from indexer.commands import flags
from indexer.configuration.settings import option, resolve
from indexer.errors import ExitCode

DATABASE = ("postgres_url", "postgres_schema")
"""All that is asked of the settings, so that these commands need no other."""


def add(commands: "flags.Commands") -> None:
    """Add `schema` and its commands."""
    schema = commands.add_parser("schema", help="make or check the database's tables; remove our own")
    schema.set_defaults(command=lambda _given: flags.print_help(schema))
    actions = schema.add_subparsers(title="commands", metavar="COMMAND")
    rows = [option(field) for field in DATABASE]

    create = actions.add_parser(
        "create",
        help="make what is missing; run it again after an upgrade",
        description="Make the schema `indexer`, and the AppView's tables where there are none of them.",
        allow_abbrev=False,
    )
    create.add_argument("--print-sql", action="store_true", help="print the statements and the grants, change nothing")
    flags.add_options(create, rows)
    create.set_defaults(command=_create)

    check = actions.add_parser(
        "check",
        help="list what the indexer would miss; exit 1 if there is anything",
        description="Compare the database with what the indexer needs. Reads only.",
        allow_abbrev=False,
    )
    flags.add_options(check, rows)
    check.set_defaults(command=_check)

    drop = actions.add_parser(
        "drop",
        help="remove the indexer's own schema, and nothing else",
        description="Remove the schema `indexer`. Refused while dead letters, look-ups, removals or counts wait in it, "
        "or an instance lives. The AppView's tables are never touched.",
        allow_abbrev=False,
    )
    drop.add_argument("--own", action="store_true", required=True, help="the schema `indexer`: nothing else is dropped")
    drop.add_argument(
        "--force", action="store_true", help="give up look-ups, removals and counts that wait; never dead letters"
    )
    drop.add_argument("--dry-run", action="store_true", help="show what it holds, change nothing")
    flags.add_options(drop, [option("postgres_url")])
    drop.set_defaults(command=_drop)


def _create(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.schema import create

    if given.print_sql:
        found, _ = resolve([option("postgres_schema")], os.environ, flags.given(given))
        sys.stdout.write(create.script(found["postgres_schema"]))
        return ExitCode.DONE
    found = flags.settings(given, DATABASE)
    created = asyncio.run(create.create(found["postgres_url"], found["postgres_schema"]))
    steps = ", ".join(created.steps) or "up to date"
    appview = "made" if created.appview == "created" else "there already, left alone"
    sys.stdout.write(f"schema indexer: {steps}\nthe AppView's tables in {found['postgres_schema']}: {appview}\n")
    return ExitCode.DONE


def _check(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.schema import check

    settings = flags.settings(given, DATABASE)
    findings = asyncio.run(check.check_url(settings["postgres_url"], settings["postgres_schema"]))
    for label, found in (("missing", findings.missing), ("note", findings.notes)):
        for finding in found:
            sys.stdout.write(f"{label}: {finding.what}\n  remedy: {finding.remedy}\n")
    if findings.missing:
        return ExitCode.FINDINGS
    sys.stdout.write(
        f"the database has everything that is needed (AppView's tables in {settings['postgres_schema']})\n"
    )
    return ExitCode.DONE


def _drop(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.schema import drop

    url: str = flags.settings(given, ("postgres_url",))["postgres_url"]
    held, was_there = asyncio.run(drop.drop(url, force=given.force, dry_run=given.dry_run))
    for what, count in held.items():
        if count:
            sys.stdout.write(f"{what}: {count:,}\n")
    what = "would be removed" if given.dry_run else "is removed; the AppView's tables are as they were"
    sys.stdout.write(f"the schema indexer {what}\n" if was_there else "there is no schema indexer\n")
    return ExitCode.DONE
