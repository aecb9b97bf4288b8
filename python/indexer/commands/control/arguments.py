"""The flags of `pause`, `resume` and `rate`; nothing heavy is imported here."""

import argparse
import os

from indexer.commands import flags
from indexer.configuration import values
from indexer.configuration.settings import option, sources

PATIENCE_S = 15


def add(commands: "flags.Commands") -> None:
    """Add `pause`, `resume` and `rate` to the commands."""
    parser = commands.add_parser(
        "pause",
        help="let running instances finish what they hold and read no more",
        description="Ask running instances to finish what they have read and to rest until `indexer resume`, also "
        "after a restart. Waits until they do.",
        allow_abbrev=False,
    )
    _add_shared(parser)
    parser.set_defaults(command=lambda given: _ask(given, "pause", None))

    parser = commands.add_parser(
        "resume",
        help="let paused instances go on",
        description="Ask paused instances to go on. Waits until they do. One that does not run goes on at its next "
        "start.",
        allow_abbrev=False,
    )
    _add_shared(parser)
    parser.set_defaults(command=lambda given: _ask(given, "resume", None))

    parser = commands.add_parser(
        "rate",
        help="limit how much running instances read",
        description="Ask running instances to read so many messages a second at most, also after a restart. Waits "
        "until they do.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "limit",
        type=flags.checked(_rate),
        metavar="N|off|default",
        help="messages a second of each instance, over all its lanes; off: no limit; default: what it was started with",
    )
    _add_shared(parser)
    parser.set_defaults(
        command=lambda given: _ask(given, "rate", None if given.limit == "default" else given.limit or 0)
    )


def _rate(text: str) -> int | str | None:
    """A number, None for `off`, or the word `default`."""
    if text.lower() == "default":
        return "default"
    try:
        return values.rate(text)
    except ValueError as fault:
        raise ValueError(f"{fault}, or default; to read nothing use `indexer pause`") from None


def _add_shared(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--consumer",
        type=flags.checked(values.name),
        metavar="NAME",
        help="the instance [INDEXER_CONSUMER; default: the only one that runs]",
    )
    which.add_argument("--all", action="store_true", help="all instances that run")
    parser.add_argument(
        "--timeout",
        type=flags.checked(values.whole_number(0, 3600)),
        default=PATIENCE_S,
        metavar="SECONDS",
        help=f"how long to wait until they obey (default {PATIENCE_S}); what was asked stays asked",
    )
    flags.add_json(parser)
    flags.add_options(parser, [option("postgres_url")])


def _ask(given: argparse.Namespace, verb: str, rate: int | None) -> int:
    import asyncio

    from indexer.commands.control import commands

    named = sources(option("consumer"), os.environ, flags.given(given)) and not given.all
    found = flags.settings(given, ("postgres_url", "consumer") if named else ("postgres_url",))
    order = commands.Order(verb, rate, given.timeout, everybody=given.all, as_json=given.json)
    return asyncio.run(commands.ask(found["postgres_url"], found.get("consumer"), order))
