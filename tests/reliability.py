"""Write RELIABILITY.md: each promise with its tests, and how they ended in the last runs that left a report.

    python -m tests.reliability

Reads the JUnit XML of `make test`, `make test-long` and `make bench` in `.reports/`, and what `make mutants` wrote.
"""

import json
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from tests.promised_commands import COMMANDS
from tests.promises import PROMISES, Promise

ROOT = Path(__file__).parents[1]
REPORTS = ROOT / ".reports"
MUTANTS = ROOT / "target" / "mutants.jsonl"
DOCUMENT = ROOT / "RELIABILITY.md"
RUNS = ("test", "test-long", "bench")
"""The targets that leave a report, which is called after them."""

Outcome = Literal["passed", "failed", "skipped"]
HEAD = """# Reliability

What is promised, which tests show it, and how these ended the last time. `make reliability` writes this file from the
reports of the last runs; nobody edits it. "Not shown" is what the tests leave open, as far as it is known.
"""


@dataclass(frozen=True, slots=True)
class Case:
    """One test with its parameters, as it ended in a run."""

    test: str
    """As pytest calls it: `file::function[parameters]`."""
    outcome: Outcome
    figures: tuple[tuple[str, str], ...]
    """What the test recorded of itself, by name."""

    def is_of(self, test: str) -> bool:
        return test in (self.test, self.test.partition("[")[0])


@dataclass(frozen=True, slots=True)
class Run:
    """What one target left; `at` is when it began (UTC), None where there is no report."""

    name: str
    at: str | None
    cases: tuple[Case, ...]


def read(name: str, file: Path) -> Run:
    """ET.ParseError where the file was broken off."""
    if not file.exists():
        return Run(name, None, ())
    suite = ET.parse(file).getroot().find("testsuite")
    if suite is None:
        raise ET.ParseError(f"{file} has no testsuite")
    began = datetime.fromisoformat(suite.attrib["timestamp"]).astimezone(UTC)
    return Run(name, f"{began:%Y-%m-%d %H:%M}", tuple(map(_case, suite.iter("testcase"))))


def _case(found: ET.Element) -> Case:
    kinds = {child.tag for child in found}
    outcome: Outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
    figures = tuple((each.get("name", ""), each.get("value", "")) for each in found.iter("property"))
    test = f"{found.get('classname', '').replace('.', '/')}.py::{found.get('name', '')}"
    return Case(test, outcome, figures)


def document(promises: Sequence[Promise], runs: Sequence[Run], verdicts: Sequence[bool] | None) -> str:
    """The whole text; `verdicts` says of each planted bug whether a test noticed it, None where nobody looked."""
    cases = [case for run in runs for case in run.cases]
    lines = [HEAD, "| run | began (UTC) | passed | failed | skipped |", "|---|---|---|---|---|"]
    for run in runs:
        ended = Counter(case.outcome for case in run.cases)
        counts = " | ".join(str(ended[outcome]) if run.at else "" for outcome in ("passed", "failed", "skipped"))
        lines.append(f"| `make {run.name}` | {run.at or 'no report'} | {counts} |")
    noticed = "no report" if verdicts is None else f"{sum(verdicts)} of {len(verdicts)} noticed by the tests"
    lines += ["", f"Planted bugs (`make mutants`): {noticed}.", "", "| | promise | outcome |", "|---|---|---|"]
    lines += [f"| {each.name} | {each.text} | {outcome(each, cases)} |" for each in promises]
    for promise in promises:
        lines += ["", f"## {promise.name}", promise.text, ""]
        lines += [_line(test, cases) for test in promise.tests] or ["No test."]
        if promise.lacking:
            lines += ["", f"Not shown: {promise.lacking}"]
    return "\n".join(lines) + "\n"


def outcome(promise: Promise, cases: Iterable[Case]) -> str:
    """In a word or two; a test that was skipped has shown nothing."""
    if not promise.tests:
        return "no test"
    ended = {test: {case.outcome for case in cases if case.is_of(test)} for test in promise.tests}
    ran = sum("passed" in each for each in ended.values())
    if any("failed" in each for each in ended.values()):
        return "**failed**"
    if not ran:
        return "not run"
    return "passed" if ran == len(ended) else f"passed, {len(ended) - ran} of {len(ended)} tests not run"


def _line(test: str, cases: Iterable[Case]) -> str:
    mine = [case for case in cases if case.is_of(test)]
    ended = Counter(case.outcome for case in mine)
    counts = ", ".join(f"{number} {kind}" for kind, number in sorted(ended.items())) or "not run"
    figures = [f"{name} {value}" for case in mine for name, value in case.figures]
    return f"- `{test}`: {'; '.join([counts, *dict.fromkeys(figures)])}"


def verdicts(file: Path) -> list[bool] | None:
    """Of each planted bug whether it was noticed, None where there is no file."""
    if not file.exists():
        return None
    return [json.loads(line)["killed"] for line in file.read_text(encoding="utf-8").splitlines()]


def main() -> None:
    runs = [read(name, REPORTS / f"{name}.xml") for name in RUNS]
    DOCUMENT.write_text(document((*PROMISES, *COMMANDS), runs, verdicts(MUTANTS)), encoding="utf-8")
    for run in runs:
        sys.stdout.write(f"make {run.name}: {run.at or 'no report'}\n")


if __name__ == "__main__":
    main()
