"""`indexer completion`: what a shell offers with its script is every command and every flag."""

import os
import subprocess
import sys
from functools import cache

import pytest

from indexer import cli
from indexer.commands import flags

EVERYTHING = [(words, parser) for words, parser in flags.parsers(cli.parser()) if words]
ASK_BASH = """
source /dev/stdin
{ while IFS= read -r asked; do
    read -ra COMP_WORDS <<< "$asked"
    [[ $asked == *' ' ]] && COMP_WORDS+=('')
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
    "$(complete -p indexer | sed 's/.*-F \\([^ ]*\\) .*/\\1/')"
    echo "${COMPREPLY[*]}"
done; } <<< "$LINES_TO_COMPLETE"
"""
ASK_FISH = """
source -
for line in (string split \\n -- $LINES_TO_COMPLETE)
    string join -- ' ' (complete -C $line | string replace -r '\\t.*' '')
end
"""


@cache
def script(shell: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "indexer", "completion", shell], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout


def offered(program: tuple[str, ...], shell: str, lines: list[str]) -> list[set[str]]:
    """What a real shell offers at the end of each line."""
    done = subprocess.run(
        program,
        input=script(shell),
        env={**os.environ, "LINES_TO_COMPLETE": "\n".join(lines)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return [set(line.split()) for line in done.stdout.split("\n")[: len(lines)]]


def questions() -> list[tuple[str, set[str]]]:
    """Lines that are begun, and what must be offered there."""
    asked = []
    for words, parser in flags.parsers(cli.parser()):
        begun = " ".join(("indexer", *words))
        long = {option for action in parser._actions for option in action.option_strings if option.startswith("--")}
        asked.append((f"{begun} --", long))
        commands = {found[-1] for found, _ in EVERYTHING if found[:-1] == words}
        if commands:
            asked.append((f"{begun} ", commands))
    asked.append(("indexer run --mode ", {"all", "stream", "label"}))
    asked.append(("indexer run --aggregates re", {"recount"}))
    asked.append(("indexer completion ", {"bash", "zsh", "fish"}))
    return asked


def test_bash_offers_every_command_and_flag() -> None:
    asked = questions()
    assert len(asked) > 20
    found = offered(("bash", "--norc", "-c", ASK_BASH), "bash", [line for line, _ in asked])
    for (line, wanted), shown in zip(asked, found, strict=True):
        assert wanted <= shown, line


@pytest.mark.needs_fish
def test_fish_offers_every_command_and_flag() -> None:
    asked = questions()
    found = offered(("fish", "--no-config", "-c", ASK_FISH), "fish", [line for line, _ in asked])
    for (line, wanted), shown in zip(asked, found, strict=True):
        assert wanted <= shown, line


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_names_every_command_and_flag(shell: str) -> None:
    text = script(shell)
    for words, parser in EVERYTHING:
        assert words[-1] in text
        for action in parser._actions:
            for option in action.option_strings:
                written = f"-l {option.lstrip('-')}" if shell == "fish" and option.startswith("--") else option
                assert written in text or option == "-h", (words, option)


@pytest.mark.parametrize(
    "shell",
    ["bash", pytest.param("zsh", marks=pytest.mark.needs_zsh), pytest.param("fish", marks=pytest.mark.needs_fish)],
)
def test_shell_understands_its_script(shell: str) -> None:
    subprocess.run([shell, "-n"], input=script(shell), text=True, check=True)


def test_help_does_not_wait_for_it() -> None:
    code = "import sys; from indexer import cli; cli.parser(); sys.exit('shtab' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
