"""The flags of `trace`; nothing heavy is imported here."""

import argparse

from indexer.commands import flags
from indexer.configuration import values
from indexer.configuration.settings import option

SETTINGS = (
    "redis_url", "postgres_url", "postgres_schema", "streams", "group",
)  # fmt: skip


def add(commands: "flags.Commands") -> None:
    """Add `trace` to the commands."""
    parser = commands.add_parser(
        "trace",
        help="tell what happened to a record or an account; exit 1 if nothing is known of it",
        description="Look for a record (or an account) in the streams, among the dead letters and in the tables, and "
        "tell everything that is true of it, in the order of time. Reads only.",
        allow_abbrev=False,
    )
    parser.add_argument("what", metavar="at://DID/COLLECTION/RKEY", help="a record; or a DID, for its account")
    flags.add_json(parser)
    _number(parser, "--scan", "COUNT", 100_000, 10**9, "entries of each stream that are looked at, at either end")
    _number(parser, "--interval", "SECONDS", 2, 3600, "time over which the speed of a stream is measured, for the ETA")
    flags.add_options(parser, [option(field) for field in SETTINGS])
    parser.set_defaults(command=_trace)


def _number(parser: argparse.ArgumentParser, flag: str, unit: str, default: int, most: int, text: str) -> None:
    parser.add_argument(
        flag,
        type=flags.checked(values.whole_number(0, most)),
        default=default,
        metavar=unit,
        help=text,
    )


def _trace(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.commands.trace import commands

    found = flags.settings(given, SETTINGS)
    return asyncio.run(commands.trace(found, given.what, given.scan, given.interval, as_json=given.json))
