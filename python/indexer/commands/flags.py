"""What the flags of several commands have in common; nothing heavy is imported here."""

import argparse
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from indexer.configuration.settings import OPTIONS, Option, option, resolve
from indexer.errors import ExitCode

if TYPE_CHECKING:  # what `add_subparsers` gives has no public name, and is generic for type checkers only
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

T = TypeVar("T")
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


def add_options(parser: argparse.ArgumentParser, rows: Sequence[Option]) -> None:
    """Add the flags of settings."""
    for row in rows:
        default = "required" if row.default is None else f"default {row.default}"
        text = f"{row.help} [{', '.join(row.variables)}; {default}]"
        unit = row.unit if "|" in row.unit else row.unit.upper()
        switch: dict[str, Any] = {"nargs": "?", "const": "true"} if row.unit == "true|false" else {}
        parser.add_argument(row.flag, dest=row.field, metavar=unit, help=text.replace("%", "%%"), **switch)


def parsers(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """A parser and those of its commands, each with the words that lead there."""
    yield words, parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield from parsers(command, (*words, name))


def given(arguments: argparse.Namespace) -> dict[str, str | None]:
    """The flags of settings, by field; None where one was left out."""
    return {row.field: getattr(arguments, row.field, None) for row in OPTIONS}


def settings(arguments: argparse.Namespace, fields: Sequence[str]) -> dict[str, Any]:
    """Some settings by field, of flags and environment; warnings go to standard error. Raises ConfigError."""
    found, warnings = resolve([option(field) for field in fields], os.environ, given(arguments))
    tell(warnings)
    return found


def tell(warnings: Iterable[str]) -> None:
    """Warnings of settings, for commands that write no log."""
    for warning in warnings:
        sys.stderr.write(f"indexer: {warning}\n")


def print_help(parser: argparse.ArgumentParser) -> int:
    """The command of a parser that needs one of its own commands."""
    parser.print_help()
    return ExitCode.DONE
