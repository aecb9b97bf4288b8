"""The flags of `doctor`; nothing heavy is imported here."""

import argparse
from collections.abc import Callable, Sequence

from indexer.settings import OPTIONS, Option

AddOptions = Callable[[argparse.ArgumentParser, Sequence[Option]], None]
Command = Callable[[argparse.Namespace], int]


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
    parser.add_argument("--json", action="store_true", help="one JSON document for programs")
    parser.add_argument(
        "--bundle", metavar="FILE", help="also write a report for support to this new file, passwords masked"
    )
    parser.add_argument(
        "--instances",
        type=_instances,
        metavar="COUNT",
        help="instances that shall share the servers (default: those that run, and this one)",
    )
    add_options(parser, OPTIONS)
    parser.set_defaults(command=command)


def _instances(text: str) -> int:
    if text.isdecimal() and 0 < int(text) <= 10_000:
        return int(text)
    raise argparse.ArgumentTypeError("must be a whole number from 1 to 10000")
