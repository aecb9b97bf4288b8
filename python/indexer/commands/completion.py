"""`indexer completion bash|zsh|fish`: a script for the shell, made by shtab from the parser of all commands."""

import argparse
import sys

from indexer.commands import flags
from indexer.errors import ExitCode

SHELLS = ("bash", "zsh", "fish")
EPILOG = """\
once, then in every new shell (bash needs the package bash-completion):
  indexer completion bash > ~/.local/share/bash-completion/completions/indexer
  indexer completion zsh > "${fpath[1]}/_indexer"
  indexer completion fish > ~/.config/fish/completions/indexer.fish
"""


def add(commands: "flags.Commands", everything: argparse.ArgumentParser) -> None:
    """Add `completion` to the commands; `everything` is the parser that they are part of."""
    parser = commands.add_parser(
        "completion",
        help="print a script that completes commands and flags in a shell",
        description="Print a script that completes commands, flags and the values that are a choice of words.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("shell", choices=SHELLS, help="the shell that it is for")
    parser.set_defaults(command=lambda given: _print(everything, given.shell))


def _print(everything: argparse.ArgumentParser, shell: str) -> int:
    import shtab

    for _, parser in flags.parsers(everything):
        for action in parser._actions:
            if isinstance(action.metavar, str) and "|" in action.metavar:
                action.choices = action.metavar.split("|")
            elif action.metavar == "FILE":
                action.complete = shtab.FILE  # type: ignore[attr-defined]  # shtab's own way
    sys.stdout.write(shtab.complete(everything, shell))
    return ExitCode.DONE
