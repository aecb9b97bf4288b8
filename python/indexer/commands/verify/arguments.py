"""The flags of `verify` and `reconcile`; nothing heavy is imported here."""

import argparse

from indexer.commands import flags
from indexer.configuration import values
from indexer.configuration.settings import option

SETTINGS = ("postgres_url", "postgres_schema")


def add(commands: "flags.Commands") -> None:
    """Add `verify` and `reconcile` to the commands."""
    parser = commands.add_parser(
        "verify",
        help="recount counters and check derived rows, on a sample or all; exit 1 if something is wrong",
        description="Look for rows that do not follow from the others: counters, rows of records, duplicates, embeds, "
        "feed items, quotes, flags. In short transactions that read, with a pause after each; what is found is looked "
        "at a second time, so messages in flight are no findings. Reads only.",
        allow_abbrev=False,
    )
    _add_shared(parser, "1%")
    parser.add_argument(
        "--examples",
        type=flags.checked(values.whole_number(0, 10_000)),
        default=5,
        metavar="COUNT",
        help="keys that are shown of each class",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="differences that the TypeScript indexer leaves count as faults: for databases that it never wrote",
    )
    parser.set_defaults(command=_verify)

    parser = commands.add_parser(
        "reconcile",
        help="mend what `verify` finds, beside running instances",
        description="Look as `verify` does, and mend what is wrong: each portion in short transactions of its own, "
        "judged again under the locks that instances take. What is done is kept in the schema `indexer`: broken off, "
        "the same command goes on where it was.",
        allow_abbrev=False,
    )
    _add_shared(parser, "all")
    parser.add_argument("--dry-run", action="store_true", help="show what it would be, change nothing")
    parser.add_argument("--restart", action="store_true", help="begin anew where a run was broken off")
    parser.add_argument(
        "--uri", action="append", default=[], metavar="URI", help="only what belongs to this record; repeatable"
    )
    parser.add_argument(
        "--did", action="append", default=[], metavar="DID", help="only the counters of this account; repeatable"
    )
    parser.add_argument(
        "--keys", metavar="FILE", help="only the URIs and DIDs in this file, one a line; - for standard input"
    )
    parser.set_defaults(command=_reconcile)


def _verify(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.commands.verify import commands

    return asyncio.run(commands.verify(given, flags.settings(given, SETTINGS)))


def _reconcile(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.commands.verify import commands

    return asyncio.run(commands.reconcile(given, flags.settings(given, SETTINGS)))


def _add_shared(parser: argparse.ArgumentParser, sample: str) -> None:
    much = parser.add_mutually_exclusive_group()
    much.add_argument(
        "--sample",
        type=flags.checked(share),
        default=share(sample),
        metavar="PERCENT",
        help=f"of each table's rows, spread over its keys; at least 10000 (default {sample.replace('%', '%%')})",
    )
    much.add_argument("--all", action="store_const", dest="sample", const=1.0, help="every row")
    parser.add_argument(
        "--only",
        type=_words,
        action="extend",
        default=[],
        metavar="CLASS,...",
        help="only these classes (docs/verifying.md), tables, or aggregates, flags, duplicates, embeds",
    )
    parser.add_argument(
        "--pause",
        type=flags.checked(values.whole_number(0, 3_600_000)),
        default=20,
        metavar="MILLISECONDS",
        help="after each portion of 500 rows",
    )
    parser.add_argument(
        "--rate",
        type=flags.checked(_rate),
        default="off",
        metavar="ROWS",
        help="most rows looked at in a second, or off",
    )
    flags.add_json(parser)
    flags.add_options(parser, [option(field) for field in SETTINGS])


def share(text: str) -> float:
    """A share of all rows, above 0 and up to 1: `all`, or a percentage."""
    percent = 100.0 if text.lower() == "all" else values.percent(text)
    if percent is None:
        raise ValueError("must be a percentage above 0 and up to 100, or all")
    return percent / 100


def _rate(text: str) -> float | str:
    return "off" if text.lower() == "off" else float(values.whole_number(1, 10**9)(text))


def _words(text: str) -> list[str]:
    from indexer.commands.verify.checks import words

    known = words()
    asked = [word.strip() for word in text.split(",") if word.strip()]
    for word in asked:
        if word not in known:
            raise argparse.ArgumentTypeError(f"{word!r} is none of: {', '.join(known)}")
    return asked
