"""The flags of `doctor`; nothing heavy is imported here."""

import argparse
import os

from indexer.commands import flags
from indexer.configuration import values
from indexer.configuration.settings import OPTIONS


def add(commands: "flags.Commands") -> None:
    """Add `doctor` to the commands."""
    parser = commands.add_parser(
        "doctor",
        help="look for what goes wrong with operators, and say what to do; exit 1 if there is anything",
        description="Look at settings, Redis, streams, PostgreSQL, poolers and the network, within 15 seconds. Changes "
        "nothing. The settings are those of `run`.",
        allow_abbrev=False,
    )
    flags.add_json(parser)
    parser.add_argument(
        "--bundle", metavar="FILE", help="also write a report for support to this new file, passwords masked"
    )
    parser.add_argument(
        "--instances",
        type=flags.checked(values.whole_number(1, 10_000)),
        metavar="COUNT",
        help="instances that shall share the servers (default: those that run, and this one)",
    )
    flags.add_options(parser, OPTIONS)
    parser.set_defaults(command=_run)


def _run(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.commands.doctor import commands

    looking = commands.doctor(
        os.environ, flags.given(given), instances=given.instances, as_json=given.json, bundle=given.bundle
    )
    return asyncio.run(looking)
