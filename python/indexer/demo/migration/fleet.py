"""The processes of a rehearsal: stand-ins, instances of ours, and the commands of the guide."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from indexer.configuration.settings import OPTIONS
from indexer.demo.daemon import blanked
from indexer.demo.migration.messages import GROUPS
from indexer.embedded.process import Child, private_folder
from indexer.errors import IndexerError

STALLED_S = 60.0
PATIENCE_S = 900.0
"""With a command, which may have many messages to index."""
LOOK_S = 0.005
"""Between two looks whether a process has something in hand."""
ENOUGH = 40
"""Messages that a process should hold when it is killed; with patience it becomes less."""
MORE_AFTER = 20
"""Looks in vain, before more messages are added."""
WAIT_S = 0.1
STAND_IN = (sys.executable, "-m", "indexer.demo.migration.stand_in")
INDEXER = (sys.executable, "-m", "indexer")


@dataclass(slots=True)
class Member:
    """A process that reads from the streams."""

    name: str
    child: Child
    ours: bool

    @property
    def is_running(self) -> bool:
        return self.child.process.poll() is None

    def log(self) -> Iterator[dict[str, Any]]:
        for line in self.child.log.read_bytes().splitlines():
            with contextlib.suppress(ValueError):  # warnings of the interpreter; half a line
                if isinstance(fields := json.loads(line), dict):
                    yield fields

    def failed(self) -> set[str]:
        """The messages that a stand-in has failed at since its start, and holds."""
        return {line["message_id"] for line in self.log() if line.get("event") == "message_failed"}

    def has_started(self) -> bool:
        return any(line.get("event") == "started" for line in self.log())


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended."""

    status: int
    lines: list[str]


class Fleet:
    """Starts, stops and kills processes; ends those that are left when its block ends."""

    def __init__(self, environment: Mapping[str, str], redis: Redis) -> None:
        """`environment` has the settings that all of them share; this process's own reach none of them."""
        self._environment = {name: "" for row in OPTIONS for name in (*row.variables, *_files(row.variables))}
        self._environment |= blanked(os.environ)
        self._environment.update(environment)
        self._redis = redis
        self._stack = ExitStack()
        self._folder = self._stack.enter_context(private_folder())
        self._numbers = count(1)
        self._running: dict[str, Member] = {}

    def __enter__(self) -> "Fleet":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def start(self, *names: str, ours: bool, **settings: str) -> None:
        """Start consumers under these names; returns when all of them have started. Settings are variables."""
        self.launch(*names, ours=ours, **settings)
        self.wait_for(*names)

    def launch(self, *names: str, ours: bool, **settings: str) -> None:
        """As `start`, but returns at once."""
        for name in names:
            child = self._child((*INDEXER, "run") if ours else STAND_IN, {"INDEXER_CONSUMER": name, **settings})
            self._stack.callback(child.stop, (signal.SIGKILL,))
            self._running[name] = Member(name, child, ours)

    def wait_for(self, *names: str) -> None:
        """Return when these have started."""
        for name in names:
            self._running[name].child.wait_until(self._running[name].has_started)

    def stop(self, *names: str) -> None:
        """SIGTERM, and wait: in order. IndexerError where one ends with an error."""
        for name in names:
            self._running[name].child.process.send_signal(signal.SIGTERM)
        for name in names:
            member = self._running.pop(name)
            try:
                status = member.child.process.wait(STALLED_S)
            except subprocess.TimeoutExpired:
                raise _fault(f"{name} does not stop", member.child) from None
            if status:
                raise _fault(f"{name} ended with status {status}", member.child)

    def kill_at_work(self, name: str, more: Callable[[], None]) -> int:
        """`kill -9` while it holds messages; how many. `more` adds messages where it has none."""
        member, least, looked = self._running.pop(name), ENOUGH, 0
        process = member.child.process
        limit = time.monotonic() + STALLED_S
        while time.monotonic() < limit:
            if self.held(name) >= least:
                process.send_signal(signal.SIGSTOP)  # what it holds now, nobody takes from its hands
                if (held := self.held(name)) >= least:
                    process.kill()
                    process.wait()
                    return held
                process.send_signal(signal.SIGCONT)
            looked += 1
            if looked % MORE_AFTER == 0:
                least = max(least // 2, 1)
                more()
            time.sleep(LOOK_S)
        raise _fault(f"{name} took nothing in hand for {STALLED_S:.0f} s", member.child)

    def command(self, *words: str, **settings: str) -> Done:
        """A command of ours, to its end."""
        return self.commands([words], **settings)[0]

    def commands(self, several: Sequence[Sequence[str]], **settings: str) -> list[Done]:
        """Commands beside each other, to their end."""
        children = [self._child((*INDEXER, *words), settings) for words in several]
        try:
            return [Done(_ended(child), _text(child)) for child in children]
        finally:
            for child in children:
                child.stop((signal.SIGKILL,))

    def held(self, name: str) -> int:
        """How many messages a consumer holds."""
        return sum(one["pending"] for one in self._consumers() if one["name"] == name.encode())

    def holders(self) -> dict[str, int]:
        """Who holds how many, those that hold any."""
        found: dict[str, int] = {}
        for one in self._consumers():
            if one["pending"]:
                name = one["name"].decode()
                found[name] = found.get(name, 0) + one["pending"]
        return found

    def length(self) -> int:
        """Entries in the streams."""
        return sum(int(self._redis.xlen(stream)) for stream in GROUPS)

    def is_still(self) -> bool:
        """Whether everything was given to somebody, and is in nobody's hands but where a stand-in failed at it."""
        before = self.length()
        holders = self.holders()
        left = {one.name: len(failed) for one in self._running.values() if (failed := one.failed())}
        return holders == left and before == self.length() == sum(holders.values())

    def until(self, done: Callable[[], bool], told: Callable[[], None] = lambda: None) -> None:
        """Wait for a fact about the streams. IndexerError where a process has ended or nothing moves."""
        seen, moved = -1, time.monotonic()
        while not done():
            told()
            if (now := self.length()) != seen:
                seen, moved = now, time.monotonic()
            for member in self._running.values():
                if not member.is_running:
                    raise _fault(f"{member.name} ended with {member.child.process.returncode}", member.child)
            if time.monotonic() - moved > STALLED_S:
                raise IndexerError(
                    "the rehearsal does not go on",
                    f"{seen:,} entries are in the streams, held by {self.holders()}",
                    "report it, with the output",
                )
            time.sleep(WAIT_S)

    def _consumers(self) -> Iterator[dict[str, Any]]:
        for stream, group in GROUPS.items():
            with contextlib.suppress(ResponseError):  # there is none yet
                yield from self._redis.xinfo_consumers(stream, group)

    def _child(self, command: Sequence[str], settings: Mapping[str, str]) -> Child:
        name = f"{settings.get('INDEXER_CONSUMER', 'command')}-{next(self._numbers)}"
        environment = {**self._environment, **settings}
        return Child(command, self._folder, "same", signal.SIGKILL, environment, name)


def _files(variables: Sequence[str]) -> list[str]:
    return [f"{name}_FILE" for name in variables]


def _ended(child: Child) -> int:
    try:
        return child.process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise _fault(f"{child.name} did not end within {PATIENCE_S:.0f} s", child) from None


def _text(child: Child) -> list[str]:
    return child.log.read_text(encoding="utf-8", errors="replace").splitlines()


def _fault(what: str, child: Child) -> IndexerError:
    return IndexerError(what, f"its last lines: {child.tail()}", "report it")
