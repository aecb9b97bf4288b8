"""The error budget of `run --stop-if`: when it is passed the lanes finish what they hold, and the process ends with 1.

It is judged over the last messages of all lanes together (`sliding_window.py`): dead letters when they are committed,
times when messages are acknowledged. Shares and times are judged from a least number of messages on, and at the end of
a run that ends by itself; numbers of messages at once.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from typing import Any

import structlog

from indexer.configuration.criteria import SLOWEST_PERCENT, Criteria, Criterion
from indexer.errors import BudgetError
from indexer.lane.decoding import Decoded
from indexer.lane.sliding_window import SlidingWindow
from indexer.sink.halving import Outcome
from indexer.wording import printable

log = structlog.get_logger()

STEPS_PER_E = 50
"""How finely times are told apart: by 2 %."""
LEAST_S = 0.0001


class Budget:
    """A listener of the lanes."""

    def __init__(
        self, criteria: Criteria, end: Callable[[], None], clock_ms: Callable[[], float] = lambda: time.time() * 1000
    ) -> None:
        """`end` is called once, when it is passed."""
        self._criteria = criteria.all
        self._has_times = any(one.unit == "s" for one in self._criteria)
        self._end = end
        self._clock_ms = clock_ms
        self._dead = SlidingWindow()
        self._times = SlidingWindow()
        self.passed: BudgetError | None = None

    def written(self, messages: int, dead: list[str]) -> None:
        """As `Listener.written`."""
        self._dead.add(messages, dead)
        self._judge(at_end=False)

    def settled(self, batch: Decoded[Any], _outcome: Outcome, seconds: float) -> None:
        """As `Listener.settled`."""
        if not self._has_times:
            return
        messages = len(batch.ids)
        words: Counter[Hashable] = Counter({("p99", _step(seconds)): messages})
        now_ms = self._clock_ms()
        for id_ in batch.ids:
            words["late", _step((now_ms - int(id_.partition(b"-")[0])) / 1000)] += 1
        self._times.add(messages, words)
        self._judge(at_end=False)

    def judge_all(self) -> None:
        """At the end of a run that ended by itself: however few the messages are."""
        self._judge(at_end=True)

    def _judge(self, *, at_end: bool) -> None:
        if self.passed is not None:
            return
        for one in self._criteria:
            window = self._times if one.unit == "s" else self._dead
            if one.unit and not (window.is_large_enough() or at_end):
                continue
            if (said := self._said(one, window)) is not None:
                self.passed = self._error(one, said)
                log.error("budget_passed", criterion=one.text, found=said, remedy=self.passed.remedy)
                self._end()
                return

    def _said(self, one: Criterion, window: SlidingWindow) -> str | None:
        """What was found, where it is too much."""
        if one.unit == "s":
            p99 = _p99(window, one.metric)
            if p99 <= one.limit:
                return None
            what = "from read to acknowledgement" if one.metric == "p99" else "old when they were acknowledged"
            return f"1 % of the last {window.messages} messages were {p99:.3g} s or more {what}"
        number = sum(times for cause, times in self._causes(one))
        if (window.percent(number) if one.unit else number) <= one.limit:
            return None
        what = "were refused by PostgreSQL" if one.metric == "db" else "became dead letters"
        return f"{number} of the last {window.messages} messages ({window.percent(number):.3g} %) {what}"

    def _causes(self, one: Criterion) -> Iterator[tuple[str, int]]:
        for cause, times in self._dead.counted.most_common():
            if one.metric == "dead" or str(cause).startswith("db_"):
                yield printable(str(cause)), times

    def _error(self, one: Criterion, said: str) -> BudgetError:
        if one.unit == "s":
            cause = "PostgreSQL is slow or its locks are held" if one.metric == "p99" else "it is that far behind"
            return BudgetError(
                f"stopped, {one.text}: {said}",
                cause,
                "run `indexer doctor`, and `indexer status` for the backlog; nothing is lost, start it again",
            )
        causes = ", ".join(f"{cause} ({times})" for cause, times in list(self._causes(one))[:3])
        return BudgetError(
            f"stopped, {one.text}: {said}",
            f"most of them {causes}",
            "run `indexer dlq ls`; nothing is lost, start it again, and then `indexer dlq retry`",
        )


def _step(seconds: float) -> int:
    """A time as one of few numbers, rounded down: nothing is told as longer than it was."""
    return math.floor(math.log(max(seconds, LEAST_S)) * STEPS_PER_E)


def _p99(window: SlidingWindow, metric: str) -> float:
    """What all but 1 % of the messages stay below; 0 where there are none."""
    steps = {
        word[1]: number for word, number in window.counted.items() if isinstance(word, tuple) and word[0] == metric
    }
    allowed = window.messages * SLOWEST_PERCENT / 100
    above = 0
    for step in sorted(steps, reverse=True):
        above += steps[step]
        if above > allowed:
            return math.exp(step / STEPS_PER_E)
    return 0.0
