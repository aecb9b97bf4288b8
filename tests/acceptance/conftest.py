"""Markers of tests that need a package of the system; CI sets INDEXER_TEST_REQUIRE_PACKAGES and has them all."""

import os

import pytest

from tests.acceptance import bouncer


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs_pgbouncer: needs the Debian package pgbouncer")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("needs_pgbouncer") and bouncer.program() is None:
        missing = "needs the Debian package pgbouncer"
        if os.environ.get("INDEXER_TEST_REQUIRE_PACKAGES"):
            pytest.fail(missing)
        pytest.skip(missing)
