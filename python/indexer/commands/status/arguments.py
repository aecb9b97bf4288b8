"""The flags of `status` and `top`; nothing heavy is imported here."""

import argparse

from indexer.commands import flags
from indexer.configuration import values
from indexer.configuration.settings import option

SETTINGS = (
    "redis_url", "postgres_url", "mode", "streams", "group", "label_stream", "label_group", "metrics_host",
    "metrics_port",
)  # fmt: skip
"""What is read of the settings."""


def add(commands: "flags.Commands") -> None:
    """Add `status` and `top` to the commands."""
    parser = commands.add_parser(
        "status",
        help="show how far it is: streams, consumers, rates, dead letters, connections",
        description="Show the state of streams, consumers, dead letters and connections, from Redis and PostgreSQL; no "
        "instance need run. Reads only.",
        allow_abbrev=False,
    )
    flags.add_json(parser)
    _add_interval(parser, 4.0, "rates are measured over so many seconds; 0: no rates")
    flags.add_options(parser, [option(field) for field in SETTINGS])
    parser.set_defaults(command=_status)

    parser = commands.add_parser(
        "top",
        help="the same, again and again, until q or Ctrl-C",
        description="Show what `status` shows, again and again, until q or Ctrl-C; where the output is no terminal, a "
        "line for each stream each time. Reads only.",
        allow_abbrev=False,
    )
    _add_interval(parser, 2.0, "between two looks")
    parser.add_argument(
        "--count",
        type=flags.checked(values.whole_number(1, 10**9 - 1)),
        metavar="LOOKS",
        help="end after so many looks (default: never)",
    )
    flags.add_options(parser, [option(field) for field in SETTINGS])
    parser.set_defaults(command=_top)


def _status(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.commands.status import commands

    found = flags.settings(given, SETTINGS)
    return asyncio.run(commands.status(found, given.interval, as_json=given.json))


def _top(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.commands.status import commands

    return asyncio.run(commands.top(flags.settings(given, SETTINGS), given.interval, given.count))


def _add_interval(parser: argparse.ArgumentParser, default: float, text: str) -> None:
    parser.add_argument("--interval", type=_seconds, default=default, metavar="SECONDS", help=text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if 0 <= seconds <= 3600:
        return seconds
    raise argparse.ArgumentTypeError("must be a number of seconds from 0 to 3600")
