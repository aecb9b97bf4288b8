"""The flags of `doctor`; nothing heavy is imported here."""

import argparse

from indexer import values
from indexer.flags import AddOptions, Command, add_json, checked
from indexer.settings import OPTIONS


def add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", add_options: AddOptions, command: Command
) -> None:
    """Add `doctor` to the commands."""
    parser = commands.add_parser(
        "doctor",
        help="look for what goes wrong with operators, and say what to do; exit 1 if there is anything",
        description="Look at settings, Redis, streams, PostgreSQL, poolers and the network, within 15 seconds. Changes "
        "nothing. The settings are those of `run`.",
        allow_abbrev=False,
    )
    add_json(parser)
    parser.add_argument(
        "--bundle", metavar="FILE", help="also write a report for support to this new file, passwords masked"
    )
    parser.add_argument(
        "--instances",
        type=checked(values.whole_number(1, 10_000)),
        metavar="COUNT",
        help="instances that shall share the servers (default: those that run, and this one)",
    )
    add_options(parser, OPTIONS)
    parser.set_defaults(command=command)
