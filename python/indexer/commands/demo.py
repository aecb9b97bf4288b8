"""The command `demo`; what it shows is in `demo/`."""

import argparse

from indexer.commands import flags


def add(commands: "flags.Commands") -> None:
    """Add `demo` to the commands."""
    demo = commands.add_parser(
        "demo",
        help="index a recording with private servers, show what happened, leave nothing",
        description="Start private servers (extra `embedded`), index a bundled recording, show what happened.",
        allow_abbrev=False,
    )
    demo.add_argument(
        "--messages",
        type=_count,
        metavar="COUNT",
        help="made-up messages (default 20000; 2000 with --migration)",
    )
    demo.add_argument(
        "--migration",
        action="store_true",
        help="rehearse a move from TypeScript indexers instead, with kills and a way back (docs/migrating.md)",
    )
    demo.set_defaults(command=_demo)


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(text)
    return number


def _demo(given: argparse.Namespace) -> int:
    from indexer import demo

    status: int = demo.main(given.messages, migration=given.migration)
    return status
