"""When the error budget of `run --stop-if` is passed, and what is said then; the sums of a canary."""

from collections import Counter
from typing import Any

import pytest
from structlog.testing import capture_logs

from indexer.configuration.criteria import criteria
from indexer.errors import ExitCode
from indexer.lane.budget import Budget
from indexer.lane.canary import Canary
from indexer.lane.decoding import Decoded
from indexer.lane.lane_metrics import Tally
from indexer.lane.sliding_window import FEWEST_MESSAGES, LAST_MESSAGES
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.halving import Outcome

NOW_MS = 1_700_000_000_000
REJECT, DB = "invalid_record:createdAt", "db_23514"


class Ended:
    """How often it was called."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> None:
        self.times += 1


def budget(text: str) -> tuple[Budget, Ended]:
    ended, found = Ended(), criteria(text)
    assert found is not None
    return Budget(found, ended, lambda: NOW_MS), ended


def batch(messages: int, *, age_s: float = 0.0, tally: Tally | None = None) -> Decoded[Any]:
    ids = [b"%d-%d" % (NOW_MS - age_s * 1000, number) for number in range(messages)]
    return Decoded([], [], ids, tally or Tally([], {}, 0), 0.0)


@pytest.mark.parametrize(("text", "cause"), [("dead>0.1%", REJECT), ("dead>0.1%", DB), ("db>0.1%", DB)])
def test_more_than_the_share_ends_it_once(text: str, cause: str) -> None:
    one, ended = budget(text)
    one.written(FEWEST_MESSAGES, [cause])
    assert one.passed is None
    one.written(500, [cause])
    assert ended.times == 1
    one.written(500, [cause] * 500)
    assert ended.times == 1


def test_share_is_not_judged_of_few_messages_but_at_the_end() -> None:
    one, ended = budget("dead>0.1%")
    one.written(FEWEST_MESSAGES - 1, [REJECT] * 500)
    assert ended.times == 0
    one.judge_all()
    assert ended.times == 1


def test_number_is_judged_at_once() -> None:
    one, ended = budget("dead>2")
    one.written(3, [REJECT] * 2)
    assert ended.times == 0
    one.written(1, [REJECT])
    assert ended.times == 1


def test_what_the_decoder_rejects_is_not_refused_by_postgresql() -> None:
    one, ended = budget("db>0")
    one.written(10, [REJECT, "crashed"])
    one.judge_all()
    assert ended.times == 0


def test_what_is_longer_ago_than_the_last_messages_does_not_count() -> None:
    one, ended = budget("dead>5")
    one.written(100, [REJECT] * 5)
    one.written(LAST_MESSAGES, [REJECT] * 5)
    assert ended.times == 0


def test_slow_messages_end_it_when_they_are_more_than_one_in_a_hundred() -> None:
    one, ended = budget("p99>2s")
    one.settled(batch(990), Outcome(), 0.1)
    one.settled(batch(10), Outcome(), 30.0)
    assert ended.times == 0
    one.settled(batch(1), Outcome(), 30.0)
    assert ended.times == 1


def test_time_is_not_judged_of_few_messages() -> None:
    one, ended = budget("p99>2s")
    one.settled(batch(FEWEST_MESSAGES - 1), Outcome(), 30.0)
    assert ended.times == 0
    one.judge_all()
    assert ended.times == 1


def test_age_is_that_of_the_entry() -> None:
    one, ended = budget("late>10m")
    one.settled(batch(1000, age_s=590), Outcome(), 700.0)
    assert ended.times == 0
    one.settled(batch(20, age_s=700), Outcome(), 0.1)
    assert ended.times == 1


def test_first_criterion_that_is_met_is_told() -> None:
    one, _ = budget("p99>2s|dead>1")
    one.written(10, [DB, DB, REJECT])
    assert one.passed is not None
    assert one.passed.what.startswith("stopped, dead>1: 3 of the last 10 messages (30 %) became dead letters")


def test_three_lines_tell_figures_cause_and_command() -> None:
    one, _ = budget("db>1%")
    with capture_logs() as lines:
        one.written(1000, [DB] * 15 + [REJECT] * 50)
    assert one.passed is not None
    assert one.passed.exit_code is ExitCode.FINDINGS
    assert str(one.passed).splitlines() == [
        "stopped, db>1%: 15 of the last 1000 messages (1.5 %) were refused by PostgreSQL",
        "  cause:  most of them db_23514 (15)",
        "  remedy: run `indexer dlq ls`; nothing is lost, start it again, and then `indexer dlq retry`",
    ]
    assert [(line["event"], line["criterion"]) for line in lines] == [("budget_passed", "db>1%")]


def test_time_is_told_as_no_longer_than_it_was() -> None:
    one, _ = budget("p99>2s")
    one.settled(batch(1000), Outcome(), 3.0)
    assert one.passed is not None
    said = one.passed.what.partition("were ")[2].partition(" s ")[0]
    assert 2.9 <= float(said) <= 3.0


def test_causes_cannot_move_a_cursor() -> None:
    one, _ = budget("dead>0")
    one.written(1, ["invalid_record:\x1b[2J"])
    assert one.passed is not None
    assert "\x1b" not in str(one.passed)


def test_each_message_of_a_canary_is_counted_once() -> None:
    times = iter([10.0, 12.5])
    canary = Canary(lambda: next(times))
    letter = DeadLetter("s", "1-1", DB, "data", "23514", "", 3, b"")
    outcome = Outcome(indexed=90, stale=7, not_its_own=2, account_status=1, dead=[letter])
    canary.settled(batch(100, tally=Tally([REJECT, REJECT], Counter({"empty": 4}), 0)), outcome, 0.25)
    canary.settled(batch(2), Outcome(indexed=2), 3.0)
    with capture_logs() as lines:
        canary.tell()
    (line,) = lines
    assert line == {
        "event": "canary", "log_level": "info", "indexed": 85, "ignored": 7, "stale": 7, "dead": 3,
        "duration_s": 2.5, "p99_s": 3.0,
    }  # fmt: skip
