"""What the flags of several commands have in common; nothing heavy is imported here."""

import argparse
from collections.abc import Callable, Sequence
from typing import TypeVar

from indexer.settings import Option

T = TypeVar("T")

AddOptions = Callable[[argparse.ArgumentParser, Sequence[Option]], None]
"""Adds the flags of settings."""
Command = Callable[[argparse.Namespace], int]
"""What a command does; its exit code."""


def checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """A parser of `values` for a flag: argparse shows what it raises."""

    def check(text: str) -> T:
        try:
            return parse(text)
        except ValueError as fault:
            raise argparse.ArgumentTypeError(str(fault)) from None

    return check


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", help="one JSON document for programs")
