"""The commands: `indexer run`, `demo`, `schema ...`, `config show`, `dlq ...` and so on (interface.md, Commands).

What a command needs is imported when it runs: `--help` and a wrong flag answer at once.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import replace

from indexer.commands import completion, flags, twins
from indexer.commands.control import arguments as control
from indexer.commands.dlq import arguments as dlq
from indexer.commands.doctor import arguments as doctor
from indexer.commands.handover import arguments as handover
from indexer.commands.shadow import arguments as shadow
from indexer.commands.status import arguments as status
from indexer.commands.trace import arguments as trace
from indexer.commands.verify import arguments as verify
from indexer.configuration.settings import OPTIONS, Settings, option, resolve
from indexer.errors import ExitCode, IndexerError

DESCRIPTION = """\
Reads the Redis streams of a Bluesky-compatible AppView and keeps its PostgreSQL tables.
"""

EPILOG = """\
exit codes:
  0   done
  1   findings: something is not as it should be, and was listed
  2   wrong usage
  69  a server is unavailable at start (`run --wait` waits instead)
  70  internal fault
  75  stopped early; try again
  78  configuration or schema
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Faults that somebody can mend are three lines on standard error."""
    parser = _parser()
    try:
        words = twins.given(parser, sys.argv[1:] if arguments is None else arguments, os.environ)
        given = parser.parse_args(words)
        return int(given.command(given))
    except IndexerError as fault:
        sys.stderr.write(f"indexer: {fault}\n")
        return fault.exit_code
    except KeyboardInterrupt:
        return ExitCode.STOPPED_EARLY
    except Exception:
        import structlog

        from indexer.daemon import logs

        if not structlog.is_configured():
            logs.configure("info", os.environ, sys.stderr)
        structlog.get_logger().exception("internal fault")
        return ExitCode.INTERNAL


def _run(given: argparse.Namespace) -> int:
    import asyncio

    import structlog

    from indexer.daemon import logs

    settings, warnings = Settings.from_environment(os.environ, flags.given(given))
    settings = replace(settings, drain=given.drain, wait=given.wait)
    logs.configure(settings.log_level, os.environ)
    for warning in warnings:
        structlog.get_logger().warning("configuration", detail=warning)

    from indexer.daemon import service

    status: int = asyncio.run(service.run(settings))
    return status


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _demo(given: argparse.Namespace) -> int:
    from indexer import demo

    status: int = demo.main(given.messages, migration=given.migration)
    return status


def _schema_create(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.schema import create

    if given.print_sql:
        found, _ = resolve([option("postgres_schema")], os.environ, flags.given(given))
        sys.stdout.write(create.script(found["postgres_schema"]))
        return ExitCode.DONE
    url, schema = _database(given)
    created = asyncio.run(create.create(url, schema))
    steps = ", ".join(created.steps) or "up to date"
    appview = "made" if created.appview == "created" else "there already, left alone"
    sys.stdout.write(f"schema indexer: {steps}\nthe AppView's tables in {schema}: {appview}\n")
    return ExitCode.DONE


def _schema_check(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.schema import check

    url, schema = _database(given)
    findings = asyncio.run(check.check_url(url, schema))
    for label, found in (("missing", findings.missing), ("note", findings.notes)):
        for finding in found:
            sys.stdout.write(f"{label}: {finding.what}\n  remedy: {finding.remedy}\n")
    if findings.missing:
        return ExitCode.FINDINGS
    sys.stdout.write(f"the database has everything that is needed (AppView's tables in {schema})\n")
    return ExitCode.DONE


def _schema_drop(given: argparse.Namespace) -> int:
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


def _config_show(given: argparse.Namespace) -> int:
    from indexer.configuration import origins as configuration

    found = configuration.read(os.environ, flags.given(given))
    text = configuration.document(found) if given.json else "\n".join(configuration.lines(found))
    sys.stdout.write(f"{text}\n")
    return ExitCode.FINDINGS if found.faults else ExitCode.DONE


def _database(given: argparse.Namespace) -> tuple[str, str]:
    """URL and schema, and nothing else, so that these commands need no other setting."""
    found = flags.settings(given, ("postgres_url", "postgres_schema"))
    return found["postgres_url"], found["postgres_schema"]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "indexer",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # a later flag must not change what a shorter one meant
    )
    parser.add_argument(
        "--version", action=_Version, nargs=0, help="print the version and the facts of the build, and exit"
    )
    parser.set_defaults(command=lambda _given: flags.print_help(parser))
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")

    run = commands.add_parser(
        "run",
        help="the daemon",
        description="Index until stopped. Each flag has a variable of the environment; the flag wins, then the "
        "variable, then the file that <variable>_FILE names.",
        allow_abbrev=False,
    )
    run.add_argument("--drain", action="store_true", help="stop when everything that is there now is indexed")
    run.add_argument("--wait", action="store_true", help="wait for servers that are unavailable at start")
    flags.add_options(run, OPTIONS)
    run.set_defaults(command=_run)

    demo = commands.add_parser(
        "demo",
        help="index a recording with private servers, show what happened, leave nothing",
        description="Start private servers (extra `embedded`), index a bundled recording, show what happened.",
        allow_abbrev=False,
    )
    demo.add_argument(
        "--messages",
        type=_count,
        metavar="COUNT",
        help="made-up messages (default 20000; 2000 with --migration)",
    )
    demo.add_argument(
        "--migration",
        action="store_true",
        help="rehearse a move from TypeScript indexers instead, with kills and a way back (docs/migrating.md)",
    )
    demo.set_defaults(command=_demo)

    schema = commands.add_parser("schema", help="make or check the database's tables; remove our own")
    schema.set_defaults(command=lambda _given: flags.print_help(schema))
    actions = schema.add_subparsers(title="commands", metavar="COMMAND")
    rows = (option("postgres_url"), option("postgres_schema"))
    create = actions.add_parser(
        "create",
        help="make what is missing; run it again after an upgrade",
        description="Make the schema `indexer`, and the AppView's tables where there are none of them.",
        allow_abbrev=False,
    )
    create.add_argument("--print-sql", action="store_true", help="print the statements and the grants, change nothing")
    flags.add_options(create, rows)
    create.set_defaults(command=_schema_create)
    check = actions.add_parser(
        "check",
        help="list what the indexer would miss; exit 1 if there is anything",
        description="Compare the database with what the indexer needs. Reads only.",
        allow_abbrev=False,
    )
    flags.add_options(check, rows)
    check.set_defaults(command=_schema_check)

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
    drop.set_defaults(command=_schema_drop)

    config = commands.add_parser("config", help="show the settings and where they come from")
    config.set_defaults(command=lambda _given: flags.print_help(config))
    actions = config.add_subparsers(title="commands", metavar="COMMAND")
    show = actions.add_parser(
        "show",
        help="list the settings that `run` would have; exit 1 if it would refuse them",
        description="List the settings that `run` would have, each with its origin: default, environment, file or "
        "option. Passwords are masked. Opens no connection.",
        allow_abbrev=False,
    )
    flags.add_json(show)
    flags.add_options(show, OPTIONS)
    show.set_defaults(command=_config_show)

    for package in (doctor, status, control, dlq, handover, verify, shadow, trace):
        package.add(commands)
    completion.add(commands, parser)
    twins.add(parser)
    return parser


class _Version(argparse.Action):
    """As argparse's own, but the version is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from indexer.daemon import build

        sys.stdout.write(build.text())
        parser.exit(0)
