"""The verbs and their flags; nothing heavy is imported here."""

import argparse
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from indexer.commands import flags
from indexer.configuration.settings import Option, option

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def add(commands: "flags.Commands") -> None:
    """Add `dlq` and its verbs to the commands."""
    dlq = commands.add_parser("dlq", help="look at dead letters, feed them again or drop them")
    dlq.set_defaults(command=lambda _given: flags.print_help(dlq))
    verbs = dlq.add_subparsers(title="commands", metavar="COMMAND")
    database = (option("postgres_url"),)

    def verb(name: str, text: str, description: str, options: Sequence[Option] = database) -> argparse.ArgumentParser:
        parser = verbs.add_parser(name, help=text, description=description, allow_abbrev=False)
        flags.add_options(parser, options)
        parser.set_defaults(command=_run, verb=name, options=options)
        return parser

    ls = verb("ls", "list them by cause", "Dead letters by cause, the most frequent first. Reads only.")
    _add_filters(ls)
    flags.add_json(ls)

    show = verb("show", "show one, with its message", "Everything that is known of a dead letter. Reads only.")
    show.add_argument("id", type=_id, metavar="ID", help="the number that `ls` shows")

    retry = verb(
        "retry",
        "add their messages to the end of their streams again",
        "Add the messages again at the end of their streams, then remove the letters. Whatever happens meanwhile, no "
        "message is lost; one that is added twice changes nothing.",
        (*database, option("redis_url"), option("streams"), option("label_stream")),
    )
    drop = verb("drop", "remove them for good", "Remove dead letters, whose messages are gone then.")
    for parser in (retry, drop):
        _add_ids(parser)
        _add_filters(parser)
        parser.add_argument("--all", action="store_true", help="all that there are, within the filters")
        parser.add_argument("--dry-run", action="store_true", help="show which it would be, change nothing")
        parser.set_defaults(command=_named(parser))

    export = verb(
        "export",
        "write them as JSON lines",
        "Write dead letters as JSON lines, all or those that are named; they stay. The message is in `payload`, or in "
        "`payload_base64` where it is not UTF-8.",
    )
    _add_ids(export)
    _add_filters(export)
    export.add_argument("--output", metavar="FILE", help="write to this file instead of the standard output")


def _run(given: argparse.Namespace) -> int:
    import asyncio

    from indexer.commands.dlq import verbs

    return asyncio.run(verbs.run(given, flags.settings(given, [row.field for row in given.options])))


def _named(parser: argparse.ArgumentParser) -> flags.Command:
    """The command, but wrong usage where nothing says which letters are meant."""

    def run(given: argparse.Namespace) -> int:
        if not (given.ids or given.cause or given.stream or given.since or given.all):
            parser.error("say which: ID, --cause, --stream, --since or --all")
        return _run(given)

    return run


def _add_ids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="*", type=_id, metavar="ID", help="numbers that `ls` and `export` show")


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--cause", type=_text, metavar="CAUSE", help="as `ls` shows it, or its word before the colon (`db`: every db_…)"
    )
    parser.add_argument("--stream", type=_text, metavar="NAME", help="of this stream")
    parser.add_argument(
        "--since", type=_since, metavar="TIME", help="that died since then: 2026-01-31T12:00 (UTC), or 90m, 12h, 7d ago"
    )


def _id(text: str) -> int:
    if re.fullmatch(r"[0-9]{1,18}", text):
        return int(text)
    raise argparse.ArgumentTypeError("must be the number of a dead letter")


def _text(text: str) -> str:
    if text.isprintable():
        return text
    raise argparse.ArgumentTypeError("must be printable text")


def _since(text: str) -> datetime:
    if ago := re.fullmatch(r"([0-9]{1,5})([smhd])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError("must be a time such as 2026-01-31T12:00, or 90m, 12h, 7d") from None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
