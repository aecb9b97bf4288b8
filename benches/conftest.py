"""What the benches share: servers, and the report that is printed last and saved."""

from collections.abc import Iterator

import pytest

from benches import durable, machine
from benches.report import Report
from indexer import _native

_REPORT = pytest.StashKey[Report]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_REPORT] = Report()


@pytest.fixture(scope="session")
def report(request: pytest.FixtureRequest) -> Report:
    """Where figures go; the machine is described before it gets busy."""
    if _native.DEBUG_BUILD:
        pytest.exit("indexer._native is a debug build: its figures would mislead (maturin develop --release)", 2)
    found = request.config.stash[_REPORT]
    found.facts["machine"] = machine.state()
    found.facts["versions"] = machine.versions()
    return found


@pytest.fixture(scope="session")
def servers(report: Report) -> Iterator[durable.Servers]:
    """Servers that lose nothing."""
    with durable.servers() as found:
        report.facts["settings"] = machine.settings(found)
        yield found


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    report = config.stash[_REPORT]
    if report.figures:
        for line in report.lines():
            terminalreporter.write_line(line)
        terminalreporter.write_line(f"\nsaved as {report.save().relative_to(config.rootpath)}")
