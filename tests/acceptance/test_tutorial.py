"""docs/tutorial.md, typed from top to bottom into two terminals; what the page shows must come, in its order."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/tutorial.md"
BUILD = "make run\n"
SECOND = 'title="second terminal"'
TIMES = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
PLACES = re.compile(r"/indexer-\w+")
VARIABLES = {"INDEXER", "REDIS", "DB", "DATABASE", "METRICS", "LOG"}
"""How those begin that a reader does not have."""


@dataclass(frozen=True, slots=True)
class Block:
    terminal: str
    """`first` or `second`; nothing for what is shown."""
    text: str


def blocks() -> list[Block]:
    found = re.findall(r"^```(\w*) ?(.*)\n((?:.*\n)*?)^```$", PAGE.read_text(encoding="utf-8"), re.M)
    assert {(kind, rest) for kind, rest, _ in found} == {("sh", ""), ("sh", SECOND), ("text", "")}
    return [Block("" if kind == "text" else "second" if rest else "first", text) for kind, rest, text in found]


class Terminal:
    """A shell that keeps its variables from block to block."""

    def __init__(self, name: str, folder: Path, variables: dict[str, str]) -> None:
        self._file = folder.parent / name
        self._output = self._file.open("wb")
        self.process = subprocess.Popen(
            ["bash", "--norc"], stdin=subprocess.PIPE, stdout=self._output, stderr=self._output, cwd=folder,
            env=variables, text=True, start_new_session=True,
        )  # fmt: skip
        self._blocks = 0

    def output(self) -> str:
        return self._file.read_text(encoding="utf-8")

    def type(self, text: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)
        self.process.stdin.flush()

    def run(self, text: str, limit_s: float = 60.0) -> str:
        """Type a block and wait for its end; no command of it may fail."""
        self._blocks += 1
        begin, end = f"block {self._blocks} begins\n", f"block {self._blocks} ends, failed: "
        self.type(f"echo '{begin}'; failed=0; trap 'failed=1' ERR\n{text}\ntrap - ERR; echo \"{end}$failed\"\n")
        until(lambda: re.search(rf"{end}\d\n", self.output()) or self.process.poll() is not None, limit_s)
        assert f"{end}0" in self.output(), self.output()
        return self.output().partition(begin)[2].partition(end)[0]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self._output.close()


def until(fact: Callable[[], object], limit_s: float) -> None:
    limit = time.monotonic() + limit_s
    while not fact():
        assert time.monotonic() < limit, "it did not come"
        time.sleep(0.05)


def lines(text: str) -> Iterator[str]:
    """Lines without what differs from run to run, and without psql's rules."""
    for line in text.splitlines():
        plain = " ".join(PLACES.sub("/indexer-", TIMES.sub("TIME", line)).split())
        if plain and not re.fullmatch(r"[-+]+|\(\d+ rows?\)", plain):
            yield plain


def assert_shown(shown: str, came: str) -> None:
    there = lines(came)
    for line in lines(shown):
        begin, cut, _ = line.partition("...")
        found = any(other.startswith(begin.rstrip()) if cut else other == line for other in there)
        assert found, f"the page shows {line!r}, which did not come (in this order):\n{came}"


def follow(folder: Path, *, build: bool) -> None:
    """Type the page in a folder with the sources."""
    variables = {name: text for name, text in os.environ.items() if name.partition("_")[0] not in VARIABLES}
    variables |= {"METRICS_PORT": "0"}  # other tests run beside this one
    if build:
        variables.pop("PYTHONPATH", None)  # what was built must be used
    first, second = Terminal("first", folder, variables), Terminal("second", folder, variables)
    came = ""
    try:
        for block in blocks():
            if block.terminal == "first":
                came = first.run(block.text, 1500) if block.text != BUILD or build else ""
            elif block.terminal == "second":
                second.type(block.text)
                until((folder / "servers.env").exists, 60)
                until(lambda: "Ctrl-C" in second.output(), 60)
                came = second.output()
            else:
                assert_shown(block.text, came)
        servers = Path(re.findall(r"unix://(\S+)/redis.sock", (folder / "servers.env").read_text(encoding="utf-8"))[0])
        assert servers.exists()
        os.killpg(second.process.pid, signal.SIGINT)  # Ctrl-C
        until(lambda: not servers.exists() and not (folder / "servers.env").exists(), 30)
    finally:
        os.killpg(second.process.pid, signal.SIGINT)
        for terminal in (first, second):
            terminal.close()


@pytest.mark.timeout(180)
def test_what_the_page_promises_comes(tmp_path: Path) -> None:
    folder = tmp_path / "appview-indexer"
    folder.mkdir()
    (folder / ".venv").symlink_to(sys.prefix)  # built already
    follow(folder, build=False)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_a_fresh_clone_gets_there(tmp_path: Path) -> None:
    folder = tmp_path / "appview-indexer"
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    files = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, files):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    follow(folder, build=True)
