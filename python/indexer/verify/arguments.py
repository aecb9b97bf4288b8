"""The flags of `verify` and `reconcile`; nothing heavy is imported here."""

import argparse
import os
from collections.abc import Callable
from typing import Any

from indexer import flags, values
from indexer.errors import ConfigError
from indexer.settings import option

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
    _add_common(parser, "1%")
    _add(parser, "--examples", "INDEXER_VERIFY_EXAMPLES", "5", "COUNT", values.whole_number(0, 10_000),
         "keys that are shown of each class")  # fmt: skip
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
    _add_common(parser, "all")
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

    from indexer.verify import commands

    return asyncio.run(commands.verify(_read(given), flags.settings(given, SETTINGS)))


def _reconcile(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.verify import commands

    return asyncio.run(commands.reconcile(_read(given), flags.settings(given, SETTINGS)))


def _add_common(parser: argparse.ArgumentParser, sample: str) -> None:
    much = parser.add_mutually_exclusive_group()
    much.add_argument(
        "--sample",
        type=flags.checked(share),
        metavar="PERCENT",
        help=f"of each table's rows, spread over its keys; at least 10000 [INDEXER_VERIFY_SAMPLE; default {sample.replace("%", "%%")}]",
    )
    much.add_argument("--all", action="store_true", help="every row")
    parser.add_argument(
        "--only",
        type=_words,
        action="extend",
        default=[],
        metavar="CLASS,...",
        help="only these classes (docs/verifying.md), tables, or aggregates, flags, duplicates, embeds",
    )
    _add(parser, "--pause", "INDEXER_VERIFY_PAUSE_MS", "20", "MILLISECONDS", values.whole_number(0, 3_600_000),
         "after each portion of 500 rows")  # fmt: skip
    _add(parser, "--rate", "INDEXER_VERIFY_RATE", "off", "ROWS", _rate, "most rows looked at in a second, or off")
    flags.add_json(parser)
    flags.add_options(parser, [option(field) for field in SETTINGS])
    parser.set_defaults(default_sample=sample)


def _add(
    parser: argparse.ArgumentParser,
    flag: str,
    variable: str,
    default: str,
    unit: str,
    parse: Callable[[str], object],
    text: str,
) -> None:
    parser.add_argument(flag, type=flags.checked(parse), metavar=unit, help=f"{text} [{variable}; default {default}]")
    twins = {**(parser.get_default("twins") or {}), flag.lstrip("-"): (variable, default, parse)}
    parser.set_defaults(twins=twins)


def _read(given: argparse.Namespace) -> argparse.Namespace:
    """With what the environment says where a flag was left out."""
    twins: dict[str, tuple[str, str, Callable[[str], Any]]] = dict(given.twins)
    if given.all:
        given.sample = 1.0
    else:
        twins["sample"] = ("INDEXER_VERIFY_SAMPLE", given.default_sample, share)
    for name, (variable, default, parse) in twins.items():
        if getattr(given, name) is not None:
            continue
        text = os.environ.get(variable, "").strip() or default
        try:
            setattr(given, name, parse(text))
        except ValueError as fault:
            raise ConfigError(f"{variable}={text} is not allowed", str(fault), f"correct {variable}") from None
    return given


def share(text: str) -> float:
    """A share of all rows, above 0 and up to 1: `all`, or a percentage."""
    percent = 100.0 if text.lower() == "all" else values.percent(text)
    if percent is None:
        raise ValueError("must be a percentage above 0 and up to 100, or all")
    return percent / 100


def _rate(text: str) -> float | str:
    return "off" if text.lower() == "off" else float(values.whole_number(1, 10**9)(text))


def _words(text: str) -> list[str]:
    from indexer.verify.checks import words

    known = words()
    asked = [word.strip() for word in text.split(",") if word.strip()]
    for word in asked:
        if word not in known:
            raise argparse.ArgumentTypeError(f"{word!r} is none of: {', '.join(known)}")
    return asked
