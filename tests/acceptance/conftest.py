"""Markers of tests that need a package of the system; CI sets INDEXER_TEST_REQUIRE_PACKAGES and has them all."""

import os
import shutil
from collections.abc import Callable

import pytest

from tests.acceptance import bouncer, browser

PROGRAMS: dict[str, tuple[str, Callable[[], str | None]]] = {
    "needs_pgbouncer": ("the Debian package pgbouncer", bouncer.program),
    "needs_chromium": ("the Debian package chromium", browser.program),
    "needs_promtool": ("promtool, of the Debian package prometheus", lambda: shutil.which("promtool")),
    "needs_fish": ("the Debian package fish", lambda: shutil.which("fish")),
    "needs_zsh": ("the Debian package zsh", lambda: shutil.which("zsh")),
}


def pytest_configure(config: pytest.Config) -> None:
    for marker, (package, _) in PROGRAMS.items():
        config.addinivalue_line("markers", f"{marker}: needs {package}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker, (package, find) in PROGRAMS.items():
        if item.get_closest_marker(marker) and find() is None:
            missing = f"needs {package}"
            if os.environ.get("INDEXER_TEST_REQUIRE_PACKAGES"):
                pytest.fail(missing)
            pytest.skip(missing)
