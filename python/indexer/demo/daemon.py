"""The real daemon as a process of its own: `indexer run`, with its log and its port for metrics."""

import contextlib
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson
from prometheus_client.parser import text_string_to_metric_families

from indexer.configuration.settings import OPTIONS
from indexer.embedded.process import Child, private_folder
from indexer.errors import IndexerError

STALLED_S = 60.0
"""Longer than any statement may run."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the daemon counted, out of its metrics."""

    outcomes: Counter[str]
    """Messages by `indexed`, `ignored`, `dead_lettered`."""
    ignored: Counter[str]
    """By reason."""
    cleaned: int
    """Records with a text that had to be mended."""

    @property
    def finished(self) -> int:
        return sum(self.outcomes.values())


class Daemon:
    """A running `indexer run`."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.pid = child.process.pid
        started = self._started()
        self.started_at = datetime.fromisoformat(str(started["time"])).timestamp()
        self._port = started["metrics_port_bound"]

    def counts(self) -> Counts:
        """OSError where it does not answer."""
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for family in text_string_to_metric_families(self._get("/metrics")):
            for sample in family.samples:
                if sample.name.endswith("_total"):
                    label = sample.labels.get("outcome") or sample.labels.get("reason") or ""
                    found[family.name][label] += int(sample.value)
        ignored = +found["indexer_ignored"]
        return Counts(found["indexer_messages"], ignored, found["indexer_cleaned_texts"][""])

    def until(self, done: Callable[[], int], total: int, told: Callable[[int], None], every_s: float = 0.05) -> None:
        """Wait until `done()` is `total`; `told` hears how far it is. IndexerError where it does not go on."""
        seen, moved = -1, time.monotonic()
        while seen < total:
            if (now := done()) != seen:
                seen, moved = now, time.monotonic()
                told(seen)
            if self._child.process.poll() is not None:
                raise self._fault(f"it ended with status {self._child.process.returncode}")
            if time.monotonic() - moved > STALLED_S:
                raise self._fault(f"nothing moved for {STALLED_S:.0f} s; it says of itself: {self._readiness()}")
            time.sleep(every_s)

    def _started(self) -> dict[str, object]:
        """The line of its log that says that it has started."""
        found: list[dict[str, object]] = []

        def is_there() -> bool:
            found.extend(line for line in self._log() if line.get("event") == "started")
            return bool(found)

        self._child.wait_until(is_there)
        return found[0]

    def _log(self) -> Iterator[dict[str, object]]:
        for line in self._child.log.read_bytes().splitlines():
            with contextlib.suppress(orjson.JSONDecodeError):  # warnings of the interpreter; half a line
                if isinstance(fields := orjson.loads(line), dict):
                    yield fields

    def _get(self, path: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def _readiness(self) -> str:
        try:
            return self._get("/readyz").strip()
        except urllib.error.HTTPError as unready:
            return unready.read().decode().strip()
        except OSError as fault:
            return str(fault)

    def _fault(self, cause: str) -> IndexerError:
        return IndexerError("the indexer did not finish", f"{cause}; its last lines: {self._child.tail()}", "report it")


def blanked(environ: Mapping[str, str]) -> dict[str, str]:
    """What this process's environment says to commands, taken back; empty counts as unset."""
    return {name: "" for name in environ if name.startswith("INDEXER_")}


@contextlib.contextmanager
def running(settings: Mapping[str, str]) -> Iterator[Daemon]:
    """Start `indexer run` for the time of the block, with texts by field of `Settings`; all else has its default.

    Every setting is given, so that nothing is taken from this process's environment: secrets as variables, which the
    list of processes does not show, everything else as flags.
    """
    texts = {option.field: settings.get(option.field, option.default) for option in OPTIONS}
    given = [option for option in OPTIONS if texts[option.field] is not None]
    flags = [f"{option.flag}={texts[option.field]}" for option in given if not option.secret]
    environment = blanked(os.environ)
    for option in given:
        if option.secret:
            first, *others = option.variables
            environment |= {first: str(texts[option.field]), **dict.fromkeys(others, "")}
    with private_folder() as folder:
        command = [sys.executable, "-m", "indexer", "run", *flags]
        # Killed with this process: the servers that it would have to finish with are going, too.
        child = Child(command, folder, "same", signal.SIGKILL, environment)
        try:
            yield Daemon(child)
        finally:
            child.stop((signal.SIGTERM, signal.SIGKILL))
