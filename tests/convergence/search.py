"""Look for a history that does not converge, with whatever `indexer` is on the path: see `tests/mutation`.

    python -m tests.convergence.search DATABASE HISTORIES

Prints how many histories it took and what failed, and ends with 1; with 0 where none failed.
"""

import logging
import sys
import traceback
from dataclasses import dataclass

import structlog
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.convergence.histories import Step, histories
from tests.convergence.laboratory import laboratory
from tests.convergence.property import converges


@dataclass
class FailureError(Exception):
    """A history that does not converge."""

    histories: int
    how: str


def search(database: str, number: int) -> FailureError | None:
    """The first failure among so many histories; always the same histories."""
    tried = 0
    with laboratory(database) as lab:

        @settings(
            max_examples=number,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            database=None,
            suppress_health_check=list(HealthCheck),
            report_multiple_bugs=False,
        )
        @given(histories, st.integers(0, 2**16))
        def run(steps: list[Step], seed: int) -> None:
            nonlocal tried
            tried += 1
            try:
                converges(lab, steps, seed)
            except Exception as error:
                text = str(error) if isinstance(error, AssertionError) else traceback.format_exc()
                failures.append(FailureError(tried, text))
                raise

        failures: list[FailureError] = []
        try:
            run()
        except BaseException:
            if not failures:
                raise
    return failures[0] if failures else None


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    found = search(sys.argv[1], int(sys.argv[2]))
    if found is not None:
        sys.stdout.write(f"{found.histories}\n{found.how}\n")
        sys.exit(1)
