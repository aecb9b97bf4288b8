"""Every flag of every command says its variable, its unit and its default, and the variable does what the flag does."""

import argparse
import os
import re
import subprocess
import sys

import pytest

from indexer import cli
from indexer.commands import flags, twins
from indexer.configuration.settings import OPTIONS, unknown_variables
from indexer.errors import ConfigError

Flag = tuple[tuple[str, ...], argparse.ArgumentParser, argparse.Action]
OF_SETTINGS = {name for row in OPTIONS for name in row.variables}


def every_flag() -> list[Flag]:
    """All but `--help` and `--version`, which end the command."""
    return [
        (words, parser, action)
        for words, parser in flags.parsers(cli.parser())
        for action in parser._actions
        if action.option_strings and not isinstance(action, argparse._HelpAction | cli._Version)
    ]


def variable(action: argparse.Action) -> str:
    """The first that its help names."""
    found = re.search(r"\[([A-Z][A-Z0-9_]+)", action.help or "")
    assert found, f"{action.option_strings} names no variable"
    return found[1]


def test_every_flag_says_its_variable_its_unit_and_its_default() -> None:
    found = every_flag()
    assert len(found) > 150
    for words, _, action in found:
        text, name = action.help or "", f"{' '.join(words)} {action.option_strings}"
        assert variable(action), name
        assert re.search(r"default|required", text), f"{name} names no default"
        if action.nargs != 0:
            assert action.metavar, f"{name} has no unit"
        assert not re.search(r"default.*default", text), f"{name}: {text}"


def test_help_of_every_command_can_be_shown() -> None:
    for words, parser in flags.parsers(cli.parser()):
        assert " ".join(("usage: indexer", *words)) in parser.format_help()


def test_flags_that_end_a_command_have_none() -> None:
    for _, parser in flags.parsers(cli.parser()):
        for action in parser._actions:
            if isinstance(action, argparse._HelpAction | cli._Version):
                assert "[" not in (action.help or "")


def test_no_two_flags_of_a_command_have_one_variable() -> None:
    seen: dict[tuple[str, ...], set[str]] = {}
    for words, _, action in every_flag():
        names = seen.setdefault(words, set())
        assert variable(action) not in names, (words, variable(action))
        names.add(variable(action))


def test_variable_of_a_command_does_what_its_flag_does() -> None:
    texts = {"COUNT": "3", "SECONDS": "3", "LOOKS": "3", "TIME": "12h", "PERCENT": "3", "MILLISECONDS": "3"}
    tried = 0
    for words, parser, action in every_flag():
        name, flag = variable(action), action.option_strings[-1]
        if name != twins.variable(words, action) or name in OF_SETTINGS:
            continue  # it is read by the command itself, and tested with it
        text = texts.get(str(action.metavar), "word") if action.nargs != 0 else "true"
        asked = [flag] if action.nargs == 0 else [f"{flag}={text}"]
        try:
            parser._get_value(action, text)
        except argparse.ArgumentError:
            continue
        assert twins.given(cli.parser(), words, {name: text}) == [*words, *asked], name
        assert unknown_variables({name: text}) == []
        tried += 1
    assert tried > 25


def test_flag_wins_over_its_variable() -> None:
    environ = {"INDEXER_STATUS_INTERVAL": "7", "INDEXER_STATUS_JSON": "true"}
    parser = cli.parser()
    given = parser.parse_args(twins.given(parser, ["status", "--interval", "3"], environ))
    assert (given.interval, given.json) == (3, True)
    assert parser.parse_args(twins.given(parser, ["status"], environ)).interval == 7
    assert parser.parse_args(twins.given(parser, ["status"], {"INDEXER_STATUS_JSON": "false"})).json is False
    assert twins.given(parser, ["status", "--help"], {"INDEXER_STATUS_INTERVAL": "wrong"}) == ["status", "--help"]


def test_required_flag_may_be_a_variable() -> None:
    parser = cli.parser()
    given = parser.parse_args(twins.given(parser, ["takeover"], {"INDEXER_TAKEOVER_CONSUMER": "one"}))
    assert given.consumer == "one"


@pytest.mark.parametrize(
    ("name", "text", "cause"),
    [
        ("INDEXER_STATUS_INTERVAL", "soon", "must be a number of seconds from 0 to 3600"),
        ("INDEXER_STATUS_JSON", "maybe", "must be true or false"),
    ],
)
def test_wrong_value_names_the_variable(name: str, text: str, cause: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError) as raised:
        twins.given(cli.parser(), ["status"], {name: text})
    assert (raised.value.what, raised.value.cause) == (f"{name}={text} is not allowed", cause)
    done = subprocess.run(
        [sys.executable, "-m", "indexer", "status"],
        env={**os.environ, name: text},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 78
    assert done.stderr.startswith(f"indexer: {name}={text} is not allowed\n")
