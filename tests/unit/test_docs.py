"""What pages of docs/ say of commands, classes, codes and figures is what the code does."""

import csv
import re
import shlex
from pathlib import Path

import asyncpg
import pytest
from prometheus_client import generate_latest

from indexer import cli
from indexer._native import IGNORED_REASONS, REJECT_REASONS
from indexer.commands.verify.checks import words
from indexer.configuration.settings import OPTIONS
from indexer.demo.migration import play
from indexer.metrics import Metrics
from indexer.sink.faults import fault_class
from tests.guides import commands_by_heading

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs/messages.md").read_text(encoding="utf-8")


def test_fates_are_those_that_the_hostile_tests_assert() -> None:
    section = TEXT.partition("## Every kind")[2]
    written = dict(re.findall(r"^\| (\w+) \| (.+?) \|$", section, re.M))
    written.pop("kind")
    with (ROOT / "tests/acceptance/hostile_fates.csv").open(encoding="utf-8") as file:
        asserted = {
            row["kind"]: row["fate"] + (f": `{row['reason']}`" if row["reason"] else "") for row in csv.DictReader(file)
        }
    assert written == asserted


def test_reasons_are_complete() -> None:
    section = TEXT.partition("## Reasons")[2].partition("## ")[0]
    named = set(re.findall(r"`(\w+)", section))
    assert set(REJECT_REASONS) | set(IGNORED_REASONS) <= named | {"db"}


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        ("outage", ["08006", "25006", "28P01", "3D000", "53100", "53300", "57P01", "57P03", "58030"]),
        ("contention", ["40001", "40P01", "55P03", "55006", "57014"]),
        ("data", ["22021", "22P05", "23505", "23502", "44000", "54000"]),
        ("programming", ["42P01", "42703", "0A000", "21000", "25P02", "26000", "P0001", "XX000"]),
    ],
)
def test_classes_of_errors_are_those_of_the_table(kind: str, codes: list[str]) -> None:
    row = next(line for line in TEXT.splitlines() if line.startswith(f"| {kind} |"))
    prefixes = tuple(re.findall(r"\b[0-9A-Z]{2}(?:[0-9A-Z]{3})?\b", row.split("|")[2]))
    for code in codes:
        error = asyncpg.PostgresError.new({"C": code, "M": "refused"})
        assert error.sqlstate == code
        assert fault_class(error) == kind
        assert kind == "programming" or code.startswith(prefixes)


def test_lost_connections_are_outages() -> None:
    for error in (ConnectionResetError(), TimeoutError(), asyncpg.InterfaceError("closed"), EOFError()):
        assert fault_class(error) == "outage"
    assert fault_class(KeyError("a bug")) == "programming"


def test_commands_about_dead_letters_are_as_they_are_written() -> None:
    text = (ROOT / "docs/dead-letters.md").read_text(encoding="utf-8")
    commands = re.findall(r"^indexer (dlq [^#\n]+)", text, re.M)
    verbs = {cli.parser().parse_args(shlex.split(command)).verb for command in commands}
    assert verbs == {"ls", "show", "retry", "drop", "export"}


def test_commands_that_move_entries_are_as_they_are_written() -> None:
    text = (ROOT / "docs/moving.md").read_text(encoding="utf-8")
    commands = [shlex.split(command) for command in re.findall(r"^indexer ([^#\n]+)", text, re.M)]
    assert {command[0] for command in commands} == {"takeover", "release"}
    for command in commands:
        given = cli.parser().parse_args(command)
        assert given.consumer in {"one", "indexer-1"}


def test_commands_that_verify_and_mend_are_as_they_are_written() -> None:
    text = (ROOT / "docs/verifying.md").read_text(encoding="utf-8")
    commands = [shlex.split(command) for command in re.findall(r"^python -m indexer ([^#\n]+)", text, re.M)]
    assert {command[0] for command in commands} == {"verify", "reconcile", "schema"}
    for command in commands:
        cli.parser().parse_args(command)


def test_all_that_verify_can_find_is_listed() -> None:
    text = (ROOT / "docs/verifying.md").read_text(encoding="utf-8")
    table = text.partition("| class |")[2].partition("Words for several")[0]
    for word in words():
        what = word.partition(".")[2] or "missing"
        assert f".{what}`" in table, word


def test_commands_for_operators_are_as_they_are_written() -> None:
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    commands = re.findall(r"^\$ (?:\w+=\S+ )*python -m indexer ([^|(\n]+)", text, re.M)
    words = [shlex.split(command) for command in commands]
    for command in words:
        cli.parser().parse_args(command)
    headings = re.findall(r"^## `(.+)`$", text, re.M)
    for heading in headings:
        assert any(command[: len(heading.split())] == heading.split() for command in words), heading
    assert len(headings) >= 3


GUIDE = ROOT / "docs/migrating.md"


def test_commands_of_the_migration_guide_are_as_they_are_written() -> None:
    """They are run by tests/acceptance/test_migration_guide.py, which takes minutes."""
    lines = [line for lines in commands_by_heading(GUIDE).values() for line in lines]
    assert len(lines) > 30
    for line in lines:
        words = shlex.split(line, comments=True)
        if words[0] == "indexer":
            cli.parser().parse_args(words[1:])
        elif words[0] == "export":
            assert words[1].partition("=")[0] in {name for row in OPTIONS for name in row.variables}
        else:
            assert words[:2] == ["docker", "compose"], line
            assert words[2] in ("up", "start", "stop")
            assert {word for word in words[3:] if word != "-d"} <= {*play.STAND_INS, *play.OURS}


def test_rehearsal_plays_commands_of_the_guide() -> None:
    lines = [line for lines in commands_by_heading(GUIDE).values() for line in lines]
    for command in play.COMMANDS:
        assert any(line.split()[1 : len(command) + 1] == list(command) for line in lines), command


def test_figures_of_the_migration_guide_are_there() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    series = generate_latest(Metrics(["firehose_live"]).registry).decode()
    for name in set(re.findall(r"`(?:rate\()?(indexer_[a-z]\w+)[{\[`]", text)):
        assert re.search(rf"^{name}\b", series, re.M), name
    codes = set(re.findall(r"`((?:redis|streams|postgres|pooler|network)\.\w+)`", text))
    assert len(codes) > 5
    listed = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    assert [code for code in codes if f"`{code}`" not in listed] == []


def test_all_that_the_doctor_can_find_is_listed() -> None:
    text = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    listed = [code for line in re.findall(r"^\| (`.+?) \|", text, re.M) for code in re.findall(r"`(\w+\.\w+)`", line)]
    known = set()
    for file in (ROOT / "python/indexer/commands/doctor").glob("*.py"):
        source = file.read_text(encoding="utf-8")
        known |= {f"{file.stem}.{word}" for word in re.findall(r'f"\{AREA\}\.(\w+)"', source)}
        known |= set(re.findall(r'"((?:redis|postgres)\.(?!acl)\w+)"', source))
    known |= {"postgres.connections", "pooler.connections"}  # one function for both
    assert sorted(listed) == sorted(known)
