"""When a lane halts because PostgreSQL refuses too much (interface.md, INDEXER_DEAD_LETTER_LIMIT)."""

import pytest

from indexer.refusals import LAST_MESSAGES, Refusals
from indexer.sink.halving import HaltedError


def test_more_than_the_limit_halts_and_names_the_share() -> None:
    refusals = Refusals(5)
    refusals.count(500, 500)
    with pytest.raises(HaltedError, match="refused 501 of the last 10000 messages, more than 5 %"):
        refusals.count(1, 1)


def test_few_messages_do_not_halt_however_many_of_them_are_refused() -> None:
    Refusals(5).count(100, 100)


def test_what_is_longer_ago_than_the_last_messages_does_not_count() -> None:
    refusals = Refusals(5)
    refusals.count(1_000, 500)
    refusals.count(LAST_MESSAGES, 0)
    refusals.count(500, 500)


def test_batches_that_reach_into_the_last_messages_count() -> None:
    refusals = Refusals(5)
    refusals.count(1_000, 500)
    refusals.count(LAST_MESSAGES - 1_000, 0)
    with pytest.raises(HaltedError):
        refusals.count(1, 1)


def test_switched_off_nothing_halts() -> None:
    Refusals(None).count(LAST_MESSAGES, LAST_MESSAGES)
