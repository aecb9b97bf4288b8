"""Markers of tests that need a package of the system."""

import pytest

from tests.acceptance import bouncer


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_pgbouncer: needs the Debian package pgbouncer")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_pgbouncer") and bouncer.program() is None:
        pytest.skip("needs the Debian package pgbouncer")
