"""The flags of `takeover` and `release`; nothing heavy is imported here."""

import argparse

from indexer import values
from indexer.flags import AddOptions, Command, checked
from indexer.settings import OPTIONS, option

OF_THE_DAEMON = ("consumer", "claim_idle_ms", "metrics_port", "metrics_host", "log_level")
"""Settings of `run` that mean nothing here, or something else."""
OF_RELEASE = ("consumer", "redis_url", "postgres_url", "streams", "group", "label_stream", "label_group", "mode")


def add_takeover(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", add_options: AddOptions, command: Command
) -> None:
    """Add `takeover` to the commands; `consumer` is the dead one there."""
    parser = commands.add_parser(
        "takeover",
        help="index now what a dead consumer holds",
        description="Index the entries that are pending for a consumer that will not come back, under its name, and "
        "end. Instances may run meanwhile, and need not. What is indexed, and how, is set as for `run`.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--consumer", required=True, type=checked(values.name), metavar="NAME", help="the dead consumer"
    )
    _add_common(parser)
    add_options(parser, [row for row in OPTIONS if row.field not in OF_THE_DAEMON])
    parser.set_defaults(command=command)


def add_release(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", add_options: AddOptions, command: Command
) -> None:
    """Add `release` to the commands; it needs the settings `OF_RELEASE`."""
    parser = commands.add_parser(
        "release",
        help="hand back what a stopped instance holds, for indexers that claim nothing",
        description="Add the entries that are pending for a stopped instance again at the end of their streams, where "
        "anybody reads them; then acknowledge and delete the old ones. Whatever happens meanwhile, none is lost; one "
        "that is added twice changes nothing.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--to",
        type=checked(values.name),
        metavar="NAME",
        help="give them to this consumer instead, which reads them at its next start",
    )
    _add_common(parser)
    add_options(parser, [option(field) for field in OF_RELEASE])
    parser.set_defaults(command=command)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--stream", type=checked(values.name), metavar="NAME", help="only what it holds of this stream")
    parser.add_argument("--dry-run", action="store_true", help="show what it would be, change nothing")
