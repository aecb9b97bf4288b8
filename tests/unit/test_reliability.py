"""The table of promises names tests that exist, and RELIABILITY.md says how they ended."""

import ast
from functools import cache
from pathlib import Path

import pytest

from tests.promised_commands import COMMANDS
from tests.promises import PROMISES, Promise
from tests.reliability import ROOT, document, outcome, read, verdicts

REPORT = """<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">
<testsuite name="pytest" timestamp="2026-01-02T04:04:05.678901+01:00">
<testcase classname="tests.faults.test_a" name="test_kills[3]"><properties>
<property name="kills" value="3"/></properties></testcase>
<testcase classname="tests.faults.test_a" name="test_kills[200]"><properties>
<property name="kills" value="200"/></properties></testcase>
<testcase classname="tests.faults.test_a" name="test_cuts"><failure message="x">y</failure></testcase>
<testcase classname="tests.faults.test_a" name="test_bouncer"><skipped message="x">y</skipped></testcase>
</testsuite></testsuites>"""


@cache
def functions(file: Path) -> set[str]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("promise", [*PROMISES, *COMMANDS], ids=lambda promise: promise.name)
def test_tests_of_a_promise_exist(promise: Promise) -> None:
    for test in promise.tests:
        file, _, name = test.partition("::")
        assert name.partition("[")[0] in functions(ROOT / file), test
    assert len(set(promise.tests)) == len(promise.tests)
    assert promise.tests or promise.lacking, "without a test it is said why"


def test_every_promise_is_in_the_table() -> None:
    """P12 is the oracle's, P26 the table of hostile messages', the others are no indexer's."""
    wanted = [*range(1, 12), *range(13, 26), *range(27, 33), 40, 41, 44]
    assert [promise.name for promise in PROMISES] == [f"P{number}" for number in wanted]
    assert [promise.name for promise in COMMANDS] == [f"C{number}" for number in range(1, 13)]


def promise(*tests: str, lacking: str = "") -> Promise:
    return Promise("P0", "Nothing is lost.", tuple(f"tests/faults/test_a.py::{test}" for test in tests), lacking)


@pytest.mark.parametrize(
    ("tests", "said"),
    [
        (["test_kills"], "passed"),
        (["test_kills[200]"], "passed"),
        (["test_kills[2]"], "not run"),
        (["test_bouncer"], "not run"),
        (["test_kills", "test_bouncer"], "passed, 1 of 2 tests not run"),
        (["test_kills", "test_cuts"], "**failed**"),
        ([], "no test"),
    ],
)
def test_outcome_of_a_promise(tmp_path: Path, tests: list[str], said: str) -> None:
    (tmp_path / "test.xml").write_text(REPORT, encoding="utf-8")
    assert outcome(promise(*tests), read("test", tmp_path / "test.xml").cases) == said


def test_document_has_runs_figures_and_what_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / "test.xml").write_text(REPORT, encoding="utf-8")
    (tmp_path / "mutants.jsonl").write_text('{"killed": true}\n{"killed": false}\n', encoding="utf-8")
    runs = [read(name, tmp_path / f"{name}.xml") for name in ("test", "test-long")]
    promises = [promise("test_kills", lacking="Fires."), promise(lacking="Floods.")]
    text = document(promises, runs, verdicts(tmp_path / "mutants.jsonl"))
    for line in (
        "| `make test` | 2026-01-02 03:04 | 2 | 1 | 1 |",
        "| `make test-long` | no report |  |  |  |",
        "Planted bugs (`make mutants`): 1 of 2 noticed by the tests.",
        "| P0 | Nothing is lost. | passed |",
        "- `tests/faults/test_a.py::test_kills`: 2 passed; kills 3; kills 200",
        "Not shown: Fires.",
        "| P0 | Nothing is lost. | no test |",
        "No test.",
    ):
        assert line in text.splitlines()
    assert "(`make mutants`): no report." in document(promises, runs, verdicts(tmp_path / "none"))
