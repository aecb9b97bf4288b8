"""Plant each bug in a copy of the package and run the tests that must notice it.

    python -m tests.mutation [NAME ...]

Ends with 0 when every bug was noticed. A test that fails anyhow notices nothing, so first all of them must pass with the
copy as it is. Without names the results are kept in `target/mutants.jsonl`, a line for each bug.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from indexer import embedded
from indexer.schema import create
from tests.conftest import POSTGRES_SETTINGS
from tests.mutation.list import MUTANTS
from tests.mutation.mutant import Mutant, plant

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "target" / "mutants.jsonl"
HISTORIES = 400
"""As many may go by before a bug counts as not noticed."""
TEST_S = 40
"""A test that a bug makes stand still has failed after that."""
LONGEST_S = 3_600
"""For one run, histories included."""
FAILED, PASSED = 1, 0
"""How pytest, and the search, end; anything else says nothing of the bug."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one bug."""

    mutant: str
    file: str
    killed: bool
    by: str
    """The test that failed, or the number of histories."""
    seconds: float


class BrokenError(Exception):
    """A run that neither passed nor failed: it says nothing about the bug."""


class Gate:
    """Runs tests with a copy of the package, on one PostgreSQL; each run has a Redis of its own."""

    def __init__(self, server: str, database: str) -> None:
        """`database` is for the histories: it has both schemas and no rows."""
        self._server = server
        self._database = database

    def tests(self, mutant: Mutant | None, tests: Sequence[str]) -> str | None:
        """Which of the tests failed, with a bug the first; None where all passed."""
        options = ["-q", "--tb=line", "-rfE", "-p", "no:cacheprovider", f"--timeout={TEST_S}"]
        code, output = self._run(mutant, ["pytest", *options, *(["-x"] if mutant else []), *tests])
        if code == PASSED:
            return None
        failed = re.findall(r"^(?:FAILED|ERROR) (\S+::.+?)(?: - .*)?$", output, re.M)
        if code != FAILED or not failed:
            raise BrokenError(output)
        return ", ".join(failed)

    def histories(self, mutant: Mutant | None) -> str | None:
        """After how many histories the first failed, None where none did."""
        command = ["tests.convergence.search", self._database, str(HISTORIES)]
        code, output = self._run(mutant, command)
        if code == PASSED:
            return None
        number = output.partition("\n")[0]
        if code != FAILED or not number.isdigit():
            raise BrokenError(output)
        return f"history {number}"

    def kills(self, mutant: Mutant) -> Verdict:
        """Whether the bug is noticed; one that nothing can be said of counts as not noticed."""
        started = time.monotonic()
        try:
            by = self.tests(mutant, mutant.tests) if mutant.tests else self.histories(mutant)
            killed = by is not None
        except BrokenError as error:
            by, killed = f"nothing can be said: {error}", False
        return Verdict(mutant.name, mutant.file, killed, by or "", round(time.monotonic() - started, 1))

    def _run(self, mutant: Mutant | None, command: Sequence[str]) -> tuple[int, str]:
        """A module run with the copy in the place of the package, in every process that it starts."""
        with tempfile.TemporaryDirectory() as folder:
            plant(mutant, Path(folder))
            environment = {**os.environ, "PYTHONPATH": folder, "INDEXER_TEST_POSTGRES_URL": self._server}
            environment.pop("INDEXER_TEST_REDIS_URL", None)
            where = [sys.executable, "-c", "import indexer; print(indexer.__file__, end='')"]
            found = subprocess.run(where, cwd=ROOT, env=environment, capture_output=True, text=True, check=True).stdout
            if not Path(found).is_relative_to(folder):
                raise BrokenError(f"{found} is imported instead of the copy")
            with subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                start_new_session=True,
            ) as process:
                try:
                    output, _ = process.communicate(timeout=LONGEST_S)
                except subprocess.TimeoutExpired as error:
                    raise BrokenError(f"not done after {LONGEST_S} s") from error
                finally:
                    _end(process)
        return process.returncode, output


def _end(process: "subprocess.Popen[str]") -> None:
    """The whole session: a bug may keep daemons alive."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def chosen(names: Sequence[str]) -> list[Mutant]:
    """The bugs with one of these texts in their names; without any all of them."""
    return [mutant for mutant in MUTANTS if not names or any(name in mutant.name for name in names)]


def check(gate: Gate, mutants: Iterable[Mutant]) -> None:
    """BrokenError where tests fail with nothing planted."""
    named = list(dict.fromkeys(test for mutant in mutants for test in mutant.tests))
    found = gate.tests(None, named) if named else None
    if found is None and any(not mutant.tests for mutant in mutants):
        found = gate.histories(None)
    if found is not None:
        raise BrokenError(f"with nothing planted there fails: {found}")


def main(names: Sequence[str], say: Callable[[str], object] = sys.stdout.write) -> int:
    """Print a line for each bug; 1 where one was not noticed, 2 where nothing can be said."""
    mutants = chosen(names)
    verdicts: list[Verdict] = []
    with embedded.postgres(POSTGRES_SETTINGS) as server:
        database = server.create_database("histories")
        asyncio.run(create.create(database, "public"))
        gate = Gate(server.url, database)
        try:
            check(gate, mutants)
        except BrokenError as error:
            say(f"{error}\n")
            return 2
        for mutant in mutants:
            verdict = gate.kills(mutant)
            verdicts.append(verdict)
            what = f"killed by {verdict.by}" if verdict.killed else f"SURVIVED {verdict.by}"
            say(f"{verdict.seconds:6.1f} s  {verdict.mutant}: {what}\n")
            sys.stdout.flush()
    if not names:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text("".join(json.dumps(asdict(verdict)) + "\n" for verdict in verdicts), encoding="utf-8")
    killed = sum(verdict.killed for verdict in verdicts)
    say(f"{killed} of {len(verdicts)} killed\n")
    return int(not verdicts or killed < len(verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
