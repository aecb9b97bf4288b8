"""When a lane halts because too much becomes dead letters (interface.md, INDEXER_DEAD_LETTER_LIMIT)."""

from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from indexer.lane.refusals import ALERT_S, Refusals
from indexer.lane.sliding_window import FEWEST_MESSAGES, LAST_MESSAGES
from indexer.sink.halving import HaltedError

DB, CRASHED, REJECT = ["db"], ["crashed"], ["invalid_record"]


def test_more_than_the_limit_of_the_first_messages_judged_halts_and_names_the_share() -> None:
    refusals = Refusals("s", 5)
    refusals.count(999, DB * 50)
    with pytest.raises(HaltedError, match=r"51 of the last 1000 messages were refused by PostgreSQL.*, more than 5 %"):
        refusals.count(1, DB)


def test_the_limit_itself_does_not_halt() -> None:
    Refusals("s", 5).count(1_000, DB * 50)
    Refusals("s", 5).count(LAST_MESSAGES, DB * 500)
    Refusals("s", 2.5).count(LAST_MESSAGES, DB * 250)


def test_few_messages_do_not_halt_however_many_of_them_are_dead() -> None:
    refusals = Refusals("s", 5)
    refusals.count(500, DB * 500)
    refusals.count(499, REJECT * 499)
    assert FEWEST_MESSAGES == 1_000


@pytest.mark.parametrize("written", [REJECT, CRASHED])
def test_what_strangers_can_write_halts_only_where_more_than_half_is_dead(written: list[str]) -> None:
    refusals = Refusals("s", 5)
    refusals.count(1_000, written * 500)
    with pytest.raises(HaltedError, match=r"501 of the last 1001 messages became dead letters, more than 50 %"):
        refusals.count(1, written)


def test_dead_letters_of_all_kinds_make_the_half() -> None:
    refusals = Refusals("s", 5)
    refusals.count(1_000, [*REJECT * 450, *["not_json"] * 20, *DB * 30])
    with pytest.raises(HaltedError, match="501 of"):
        refusals.count(1, DB)


def test_half_halts_under_a_greater_limit_too() -> None:
    with pytest.raises(HaltedError, match="became dead letters"):
        Refusals("s", 90).count(1_000, DB * 501)


def test_what_is_longer_ago_than_the_last_messages_does_not_count() -> None:
    refusals = Refusals("s", 5)
    refusals.count(999, DB * 999)
    refusals.count(LAST_MESSAGES, [])
    refusals.count(500, DB * 500)


def test_batches_that_reach_into_the_last_messages_count() -> None:
    refusals = Refusals("s", 5)
    refusals.count(999, DB * 999)
    with pytest.raises(HaltedError, match="999 of the last 10998"):
        refusals.count(LAST_MESSAGES - 1, [])


def test_switched_off_nothing_halts() -> None:
    refusals = Refusals("s", None)
    refusals.count(LAST_MESSAGES, DB * LAST_MESSAGES)
    refusals.count(LAST_MESSAGES, REJECT * LAST_MESSAGES)


@pytest.mark.parametrize(("limit", "quiet", "told"), [(5, 50, 51), (None, 50, 51), (20, 200, 201)])
def test_many_dead_letters_that_do_not_halt_are_told(limit: float | None, quiet: int, told: int) -> None:
    with capture_logs() as lines:
        Refusals("s", limit).count(1_000, REJECT * quiet)
    assert lines == []
    with capture_logs() as lines:
        Refusals("s", limit).count(1_000, [*REJECT * (told - 1), "not_json"])
    assert lines == [
        {
            "event": "many_dead_letters",
            "log_level": "warning",
            "stream": "s",
            "dead": told,
            "of_messages": 1_000,
            "reasons": {"invalid_record": told - 1, "not_json": 1},
        }
    ]


def test_they_are_told_again_only_after_a_while() -> None:
    times: Iterator[float] = iter([0.0, 0.0, ALERT_S - 1, ALERT_S, ALERT_S])
    refusals = Refusals("s", 5, lambda: next(times))
    with capture_logs() as lines:
        for _ in range(3):
            refusals.count(1_000, REJECT * 400)
    assert len(lines) == 2
    assert next(times, None) is None
