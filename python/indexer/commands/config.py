"""The command `config show`; what it shows is found in `configuration/origins.py`."""

import argparse
import os
import sys

from indexer.commands import flags
from indexer.configuration.settings import OPTIONS
from indexer.errors import ExitCode


def add(commands: "flags.Commands") -> None:
    """Add `config` and its command."""
    config = commands.add_parser("config", help="show the settings and where they come from")
    config.set_defaults(command=lambda _given: flags.print_help(config))
    actions = config.add_subparsers(title="commands", metavar="COMMAND")
    show = actions.add_parser(
        "show",
        help="list the settings that `run` would have; exit 1 if it would refuse them",
        description="List the settings that `run` would have, each with its origin: default, environment, file or "
        "option. Passwords are masked. Opens no connection.",
        allow_abbrev=False,
    )
    flags.add_json(show)
    flags.add_options(show, OPTIONS)
    show.set_defaults(command=_show)


def _show(given: argparse.Namespace) -> int:
    from indexer.configuration import origins

    found = origins.read(os.environ, flags.given(given))
    text = origins.document(found) if given.json else "\n".join(origins.lines(found))
    sys.stdout.write(f"{text}\n")
    return ExitCode.FINDINGS if found.faults else ExitCode.DONE
