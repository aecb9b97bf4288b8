"""Every flag has a variable of the environment.

Those of settings have theirs in a table (`settings.OPTIONS`); a flag that belongs to one command has one that is named
after both: `indexer status --interval`, INDEXER_STATUS_INTERVAL.
"""

import argparse
from collections.abc import Iterator, Mapping, Sequence

from indexer.commands import flags
from indexer.configuration import settings, values
from indexer.errors import ConfigError


def add(parser: argparse.ArgumentParser) -> None:
    """Say in the help of each flag of all commands which variable it has, and what holds without both."""
    for words, command in flags.parsers(parser):
        for action in command._actions:
            if _is_flag(action) and "[" not in (action.help or ""):
                name = variable(words, action)
                settings.OF_COMMANDS.add(name)
                action.help = f"{action.help} [{name}{_default(action)}]"


def given(parser: argparse.ArgumentParser, arguments: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """The arguments, and flags for the variables that are set where the flag is left out.

    ConfigError where a variable has a value that the flag would refuse.
    """
    words, command = _command(parser, arguments)
    rest = list(arguments[len(words) :])
    if "-h" in rest or "--help" in rest:
        return list(arguments)
    there = {action for action in command._actions for word in rest if word.partition("=")[0] in action.option_strings}
    for group in command._mutually_exclusive_groups:
        if there & set(group._group_actions):
            there |= set(group._group_actions)
    added: list[str] = []
    for action in command._actions:
        name = variable(words, action)
        text = environ.get(name, "").strip()
        if text and action not in there and name in (action.help or ""):
            added += _as_flag(command, action, name, text)
    return [*words, *added, *rest]


def _command(
    parser: argparse.ArgumentParser, arguments: Sequence[str]
) -> tuple[tuple[str, ...], argparse.ArgumentParser]:
    """The command that the arguments begin with."""
    known = dict(flags.parsers(parser))
    words: tuple[str, ...] = ()
    for word in arguments:
        if (*words, word) not in known:
            break
        words = (*words, word)
    return words, known[words]


def _as_flag(command: argparse.ArgumentParser, action: argparse.Action, name: str, text: str) -> Iterator[str]:
    flag = action.option_strings[-1]
    try:
        if action.nargs != 0:
            command._get_value(action, text)
            yield f"{flag}={text}"
        elif values.boolean(text):
            yield flag
    except (ValueError, argparse.ArgumentError) as fault:
        cause = fault.message if isinstance(fault, argparse.ArgumentError) else str(fault)
        raise ConfigError(f"{name}={values.mask(text)} is not allowed", cause, f"correct {name}, or unset it") from None


def variable(words: Sequence[str], action: argparse.Action) -> str:
    """The name of the variable of a flag that belongs to one command."""
    parts = (*words, *action.option_strings[-1:])
    return "_".join(("INDEXER", *(part.lstrip("-").replace("-", "_").upper() for part in parts)))


def _is_flag(action: argparse.Action) -> bool:
    """Not `--help` and `--version`, which end the command."""
    return bool(action.option_strings) and action.dest not in ("help", "version")


def _default(action: argparse.Action) -> str:
    """What the help says of it, where it does not already."""
    if action.required:
        return "; required"
    if "default" in (action.help or ""):
        return ""
    if action.nargs == 0:
        return "; default false"
    default = action.default
    return f"; default {'none' if default in (None, []) else f'{default:g}' if isinstance(default, float) else default}"
