"""The flags of `shadow`; nothing heavy is imported here."""

import argparse
import re

from indexer.commands import flags
from indexer.configuration import values
from indexer.configuration.settings import option

SETTINGS = (
    "redis_url", "postgres_url", "postgres_schema", "mode", "streams", "group", "label_stream", "label_group",
    "notifications", "account_deletion", "max_attempts",
)  # fmt: skip
_EPILOG = """\
Notifications are compared as the incumbent should have written them: give --notifications updates where it is the
TypeScript indexer. exit codes: 0 nothing differs but what is known to, 1 differences. See docs/shadow.md.
"""


def add(commands: "flags.Commands") -> None:
    """Add `shadow` to the commands."""
    parser = commands.add_parser(
        "shadow",
        help="compare what another indexer wrote with what this one would have; exit 1 if rows differ",
        description="Read the streams, run the pipeline on temporary copies, in transactions rolled back, and compare\n"
        "with the rows that the incumbent indexer wrote. Joins no group, changes nothing in Redis or in the database,\n"
        "locks no row.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    flags.add_json(parser)
    _number(parser, "--count", "COUNT", 100_000, 10**9, "messages of each stream, at most")
    _number(parser, "--window", "COUNT", 10_000, 200_000, "messages that are compared at a time, in one transaction")
    parser.add_argument(
        "--from",
        dest="first",
        type=flags.checked(_id),
        default="-",
        metavar="ID",
        help="begin at this entry (default: the oldest)",
    )
    _number(parser, "--wait", "SECONDS", 60, 86_400, "patience with the incumbent while it gets nothing done", least=0)
    _number(parser, "--follow", "SECONDS", 0, 10**7, "go on reading what is new for so long", least=0)
    _number(parser, "--examples", "COUNT", 3, 10**6, "examples of each class", least=0)
    flags.add_options(parser, [option(field) for field in SETTINGS])
    parser.set_defaults(command=_shadow)


def _number(
    parser: argparse.ArgumentParser, flag: str, unit: str, default: int, most: int, text: str, least: int = 1
) -> None:
    parser.add_argument(
        flag,
        type=flags.checked(values.whole_number(least, most)),
        default=default,
        metavar=unit,
        help=text,
    )


def _id(text: str) -> str:
    if text == "-" or re.fullmatch(r"[0-9]{1,20}(-[0-9]{1,20})?", text):
        return text
    raise ValueError("must be the id of an entry, such as 1700000000000-0")


def _shadow(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.commands.shadow import commands
    from indexer.commands.shadow.stream import Limits

    limits = Limits(given.count, given.window, given.first, given.wait, given.follow)
    found = flags.settings(given, SETTINGS)
    return asyncio.run(commands.shadow(found, limits, given.examples, as_json=given.json))
