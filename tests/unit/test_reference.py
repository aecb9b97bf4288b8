"""The pages of docs/reference/ are what the code says, and complete."""

import re
from pathlib import Path

from indexer._native import IGNORED_REASONS, REJECT_REASONS
from indexer.configuration.settings import OTHER_VARIABLES
from indexer.errors import ExitCode
from tests import reference

ROOT = Path(__file__).parents[2]


def test_pages_are_those_that_the_code_gives() -> None:
    written = {file.name: file.read_text(encoding="utf-8") for file in reference.FOLDER.glob("*.md")}
    stale = [name for name, text in reference.pages().items() if written.get(name) != text]
    assert stale == [], "run `python -m tests.reference`"
    assert set(written) == set(reference.pages())


def test_every_cause_and_reason_has_its_row() -> None:
    text = reference.pages()["causes.md"]
    named = set(re.findall(r"^\| `(\w+)", text, re.M))
    assert set(REJECT_REASONS) - {"db"} | set(IGNORED_REASONS) | {"db_"} <= named


def test_every_exit_code_has_its_row() -> None:
    text = reference.pages()["exit-codes.md"]
    assert re.findall(r"^\| (\d+) \|", text, re.M) == [str(int(code)) for code in ExitCode]


def test_every_divergence_that_the_code_names_has_its_row() -> None:
    page = (ROOT / "docs/divergences.md").read_text(encoding="utf-8")
    files = [*ROOT.glob("python/indexer/**/*.py"), *ROOT.glob("python/indexer/**/*.sql"), ROOT / "DESIGN.md"]
    named = {int(number) for file in files for number in re.findall(r"\bDIV-(\d+)", file.read_text(encoding="utf-8"))}
    listed = [int(number) for number in re.findall(r"^\| DIV-(\d+) \|", page, re.M)]
    assert listed == list(range(1, 19))
    assert named <= set(listed)


def test_every_variable_that_is_no_setting_has_its_row() -> None:
    assert set(OTHER_VARIABLES) <= set(reference.ELSEWHERE)
