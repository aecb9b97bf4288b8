"""Every command of the README works. Those that need minutes or a network of their own are run elsewhere."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.daemon import Daemon

ROOT = Path(__file__).parents[2]

ELSEWHERE = {
    "make test": "this run",
    "make docs": ".ci/run; test_site.py",
    "pip install .": "test_wheel.py",
}


def commands() -> list[str]:
    """The command lines of the README's code blocks, without comments."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    lines = [line.partition("#")[0].strip() for kind, block in blocks if kind != "text" for line in block.splitlines()]
    return [line for line in lines if re.match(r"(make|pip|python|export|indexer) ", line)]


def test_each_command_is_run_somewhere(tmp_path: Path, empty_database: str, redis_url: str) -> None:
    seen = []
    for command in commands():
        seen.append(command)
        if command in ELSEWHERE or command == "make run":
            continue  # make run: the next test
        if command.startswith("export "):
            names = {part.partition("=")[0] for part in command.split()[1:]}
            assert names == {"REDIS_URL", "DATABASE_URL", "INDEXER_CONSUMER"}
            continue
        if command == "python -m indexer run":
            runs_until_it_is_told_to_stop(Daemon(empty_database, redis_url, tmp_path))
            continue
        variables = {**os.environ, "REDIS_URL": redis_url, "DATABASE_URL": empty_database, "INDEXER_CONSUMER": "one"}
        assert command.startswith("python "), f"nothing runs {command!r}"
        words = [sys.executable, *command.split()[1:]]
        done = subprocess.run(words, env=variables, capture_output=True, text=True, timeout=60, check=False)
        found = command.endswith(" doctor")  # that the Redis of the tests saves nothing, and what networks do not allow
        assert done.returncode in ((0, 1) if found else (0,)), done.stderr
    assert len(seen) >= 7


def runs_until_it_is_told_to_stop(daemon: Daemon) -> None:
    daemon.until(lambda: bool(daemon.lines("started")))
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.wait() == 0, daemon.output


def test_make_run_is_the_demo() -> None:
    """Which test_demo.py and test_tutorial.py run; by itself it builds, and says what happened: the next test."""
    shown = subprocess.run(["make", "--dry-run", "run"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert ".venv/bin/python -m indexer demo" in shown.splitlines()


@pytest.mark.long
@pytest.mark.timeout(120)
def test_make_run_shows_what_happened() -> None:
    done = subprocess.run(["make", "run"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "What to try next" in done.stdout
