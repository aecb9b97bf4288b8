"""What an instance does about the wishes in its row of `indexer.control`. It hears them when it renews its lease."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import structlog

from indexer.errors import ConfigError
from indexer.lane.intake import Intake

log = structlog.get_logger()

LOOK_S = 0.2
"""Between two looks whether there is something to answer."""
ABSENT_AGAIN_S = 60.0
"""A database without the table is asked for it again after so long."""


class Wish(NamedTuple):
    """As the columns of its row."""

    wish: int = 0
    paused: bool = False
    rate: int | None = None


class Answer(NamedTuple):
    """As the columns of its row."""

    heard: int
    state: str
    rate_now: int | None


class Rests(Protocol):
    """A lane."""

    @property
    def in_hand(self) -> int: ...
    @property
    def halted(self) -> str | None: ...


class Obedience:
    """Turns wishes into what the lanes may read, and says how far that is done."""

    def __init__(self, consumer: str, intake: Intake, rate: int | None, lanes: Sequence[Rests]) -> None:
        """`rate` is what it was started with."""
        self.consumer = consumer
        self._lanes = lanes
        self._intake = intake
        self._own_rate = rate
        self._wish = Wish()
        self._heard = 0
        self._told: Answer | None = None
        self._ask_at = float("-inf")

    def refuse_pause(self) -> None:
        """ConfigError where it is paused: for runs that end by themselves."""
        if self._wish.paused:
            raise ConfigError(
                f"the consumer {self.consumer} is paused",
                "`indexer pause` was given, which outlives a restart: a run that shall end by itself would never end",
                f"run `indexer resume --consumer {self.consumer}` first",
            )

    @property
    def how_to_go_on(self) -> str | None:
        """Where it is paused, the command that ends it."""
        return f"`indexer resume --consumer {self.consumer}` goes on" if self._intake.is_paused else None

    @property
    def may_ask(self) -> bool:
        """Whether the database has, for all that is known, the table."""
        return time.monotonic() >= self._ask_at

    def absent(self, error: Exception) -> None:
        """The table is not there, or not for this role. What was asked before stays as it is."""
        if self._ask_at < 0:
            log.warning(
                "control_unavailable",
                error=error,
                detail="indexer pause, resume and rate do not reach this instance; run `indexer schema create`, and "
                "grant what `indexer schema create --print-sql` shows",
            )
        self._ask_at = time.monotonic() + ABSENT_AGAIN_S

    def hear(self, row: tuple[Any, ...] | None) -> None:
        """Obey what the row says; None: there is none, so nothing is asked."""
        wish = Wish() if row is None or row[0] is None else Wish(*row)
        if wish == self._wish:
            return
        before, self._wish = self._wish, wish
        rate = self._own_rate if wish.rate is None else wish.rate or None
        if wish.paused != before.paused:
            self._intake.pause(paused=wish.paused)
            if wish.paused:
                log.warning("paused", consumer=self.consumer, remedy=self.how_to_go_on)
            else:
                log.info("resumed", consumer=self.consumer)
        if rate != self._intake.rate:
            self._intake.limit(rate)
            log.info("rate", consumer=self.consumer, messages_per_s=rate or "off")

    def answer(self) -> Answer:
        """What there is to say now."""
        if self._intake.is_obeyed:
            self._heard = self._wish.wish
        state = "working"
        if self._intake.is_paused:
            at_rest = self._intake.is_at_rest and all(lane.halted or not lane.in_hand for lane in self._lanes)
            state = "paused" if at_rest else "pausing"
        return Answer(self._heard, state, self._intake.rate)

    def told(self, answer: Answer) -> None:
        """It stands in the row now."""
        self._told = answer

    async def pause_before_renewal(self, most_s: float) -> None:
        """Wait so long, or until there is something to answer."""
        end = time.monotonic() + most_s
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(left, LOOK_S))
            if self._told is not None and self.answer() != self._told:
                return
