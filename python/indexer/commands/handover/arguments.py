"""The flags of `takeover` and `release`; nothing heavy is imported here."""

import argparse
import os
import sys

from indexer.commands import flags
from indexer.configuration import values
from indexer.configuration.settings import OPTIONS, Settings, option

OF_THE_DAEMON = (
    "consumer", "canary", "stop_if", "claim_idle_ms", "metrics_port", "metrics_host", "typescript_metrics", "log_level",
)  # fmt: skip
"""Settings of `run` that mean nothing here, or something else."""
OF_RELEASE = ("consumer", "redis_url", "postgres_url", "streams", "group", "label_stream", "label_group", "mode")


def add(commands: "flags.Commands") -> None:
    """Add `takeover`, whose `consumer` is the dead one, and `release` to the commands."""
    parser = commands.add_parser(
        "takeover",
        help="index now what a dead consumer holds",
        description="Index the entries that are pending for a consumer that will not come back, under its name, and "
        "end. Instances may run meanwhile, and need not. What is indexed, and how, is set as for `run`.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--consumer", required=True, type=flags.checked(values.name), metavar="NAME", help="the dead consumer"
    )
    _add_shared(parser)
    flags.add_options(parser, [row for row in OPTIONS if row.field not in OF_THE_DAEMON])
    parser.set_defaults(command=_takeover)

    parser = commands.add_parser(
        "release",
        help="hand back what a stopped instance holds, for indexers that claim nothing",
        description="Add the entries that are pending for a stopped instance again at the end of their streams, where "
        "anybody reads them; then acknowledge and delete the old ones. Whatever happens meanwhile, none is lost; one "
        "that is added twice changes nothing.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--to",
        type=flags.checked(values.name),
        metavar="NAME",
        help="give them to this consumer instead, which reads them at its next start",
    )
    _add_shared(parser)
    flags.add_options(parser, [option(field) for field in OF_RELEASE])
    parser.set_defaults(command=_release)


def _takeover(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.daemon import logs

    settings, warnings = Settings.from_environment(os.environ, flags.given(given))
    flags.tell(warnings)
    logs.configure("warning", os.environ, sys.stderr)

    from indexer.commands.handover import commands

    return asyncio.run(commands.takeover(settings, given.stream, dry_run=given.dry_run))


def _release(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.commands.handover import commands
    from indexer.daemon import logs

    found = flags.settings(given, OF_RELEASE)
    logs.configure("warning", os.environ, sys.stderr)
    return asyncio.run(commands.release(found, given.to, given.stream, dry_run=given.dry_run))


def _add_shared(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--stream", type=flags.checked(values.name), metavar="NAME", help="only what it holds of this stream"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what it would be, change nothing")
