"""When a handle is looked up, and which account event decides: every rule of actors.md 2.1 and 3 (DIV-9)."""

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from indexer._native import Event, parse_dates
from indexer.fold.accounts import AccountRules, Known, Wanted, asks_for_handle, has_effect, judge, standings, status_of
from indexer.fold.apply import fold
from indexer.fold.world import World
from tests.messages import A, B, account, create, delete, identity, like, like_uri, record, uri
from tests.unit.folding import NOW, events_of

START = datetime(2025, 10, 20, 10, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MS = timedelta(milliseconds=1)


def at(after: timedelta) -> str:
    return (START + after).isoformat(timespec="milliseconds").replace("+00:00", "Z")


T = at(timedelta())


def event(payload: bytes) -> Event:
    (found,) = events_of((payload,))
    return found


def asked(time: str, known: Known | None) -> dict[str, str]:
    found, moved = judge([event(identity(time=time))], {} if known is None else {A: known}, {})
    assert moved == {}
    return found


LOOK_UP, NOTHING = True, False


@pytest.mark.parametrize(
    ("known", "time", "expected"),
    [
        pytest.param(None, T, LOOK_UP, id="no row: look up"),
        pytest.param(Known("a.test", T), at(DAY + MS), LOOK_UP, id="more than 24 h: look up"),
        pytest.param(Known("a.test", T), at(DAY), NOTHING, id="exactly 24 h: nothing"),
        pytest.param(Known("a.test", T), at(2 * HOUR), NOTHING, id="a handle, more than 1 h: nothing"),
        pytest.param(Known(None, T), at(HOUR + MS), LOOK_UP, id="no handle, more than 1 h: look up"),
        pytest.param(Known(None, T), at(HOUR), NOTHING, id="no handle, exactly 1 h: nothing"),
        pytest.param(Known(None, T), at(DAY + MS), LOOK_UP, id="no handle, more than 24 h: look up"),
        pytest.param(Known("a.test", T), at(-10 * DAY), NOTHING, id="older than the row: nothing, the sign counts"),
        pytest.param(Known(None, T), at(-10 * DAY), NOTHING, id="older, without handle: nothing"),
        pytest.param(Known("a.test", T), "garbage", NOTHING, id="unparsable time, known: nothing"),
        pytest.param(Known(None, "garbage"), at(10 * DAY), NOTHING, id="unparsable row: nothing"),
        pytest.param(None, "garbage", LOOK_UP, id="unparsable time, new: look up"),
        pytest.param(Known("a.test", "2025-10-20T10:00:00.123456789+00:00"), at(DAY + 124 * MS), LOOK_UP, id="rsky"),
        pytest.param(Known("a.test", "2025-10-20T10:00:00.123456789+00:00"), at(DAY + 123 * MS), NOTHING, id="rsky ="),
        pytest.param(Known("a.test", "2025-10-20 12:00:00.5+02"), at(DAY + 501 * MS), LOOK_UP, id="PostgreSQL text"),
        pytest.param(Known("a.test", "2025-10-20 12:00:00.5+02"), at(DAY + 500 * MS), NOTHING, id="PostgreSQL text ="),
    ],
)
def test_rule_when_a_handle_is_looked_up(known: Known | None, time: str, expected: bool) -> None:
    assert asked(time, known) == ({A: time} if expected else {})


def test_rule_each_event_is_judged_on_the_row_before_it() -> None:
    """The second of two events sees what the first one's look-up comes to, whichever that is."""
    times = [T, at(HOUR), at(HOUR + MS), at(DAY), at(DAY + MS)]
    found, moved = judge([event(identity(time=time)) for time in times], {}, {})
    assert found == {A: T}
    # with a handle: the first, and the one of more than a day; without: the third, and the fourth of more than an hour
    assert moved == {A: Wanted(at(DAY + MS), at(DAY))}


@pytest.mark.parametrize("resolves", [True, False])
@pytest.mark.parametrize("start", [None, Known("a.test", T), Known(None, T)])
def test_merged_look_ups_come_to_what_looking_up_at_once_does(resolves: bool, start: Known | None) -> None:
    """Against the reference's rule, for all short sequences of events, split anywhere while the look-up waits."""
    steps = [timedelta(), HOUR, HOUR + MS, DAY, DAY + MS, -HOUR, 2 * DAY]
    for gaps in itertools.product(steps, repeat=4):
        times = [at(sum(gaps[:n], start=timedelta())) for n in range(1, 5)]
        row = start
        for time in times:  # the reference
            if asked(time, row):
                row = Known("a.test" if resolves else None, time)
        waiting: dict[str, Wanted] = {}
        for part in (times[:2], times[2:3], times[3:]):  # ours, in three batches
            new, moved = judge(
                [event(identity(time=time)) for time in part], {} if start is None else {A: start}, waiting
            )
            assert not new or not waiting
            waiting = {**waiting, **{did: Wanted(time, time) for did, time in new.items()}, **moved}
        ours = start
        if waiting:
            ours = Known("a.test", waiting[A].found_time) if resolves else Known(None, waiting[A].missing_time)
        assert ours == row, times


def test_a_waiting_look_up_moves_by_the_rules_only() -> None:
    waiting = {A: Wanted(T, T)}
    assert judge([event(identity(time=at(HOUR)))], {}, waiting) == ({}, {})
    assert judge([event(identity(time=at(HOUR + MS)))], {}, waiting) == ({}, {A: Wanted(T, at(HOUR + MS))})
    assert judge([event(identity(time="garbage"))], {}, waiting) == ({}, {})


@pytest.mark.parametrize("status", ["deactivated", "suspended", "takendown", "deleted"])
@pytest.mark.parametrize("spelled", [str, str.capitalize, str.upper])
def test_rule_status_is_lower_cased(status: str, spelled: Callable[[str], str]) -> None:
    assert status_of(event(account(active=False, status=spelled(status)))) == status


@pytest.mark.parametrize("status", [None, "deleted", "takendown", "Throttled", 5])
def test_rule_active_is_no_status_whatever_it_says(status: object) -> None:
    active = event(account(active=True, status=status))
    assert status_of(active) == ""
    assert has_effect(active, AccountRules(deletion="ignore"))
    assert asks_for_handle(active)


@pytest.mark.parametrize(
    "fields",
    [
        {"active": False, "status": "desynchronized"},
        {"active": False, "status": "throttled"},
        {"active": False, "status": "anything"},
        {"active": False, "status": None},
        {"active": False},
        {"status": "takendown"},
        {"active": "false", "status": "takendown"},
        {},
    ],
)
def test_rule_other_statuses_are_ignored_and_look_nothing_up(fields: dict[str, Any]) -> None:
    folded = fold(events_of((account(**fields),)), World(NOW), "live", backfill=False)
    assert (folded.fates, folded.accounts, folded.look_ups) == (["account_status"], [], [])


@pytest.mark.parametrize("deletion", ["purge", "ignore"])
def test_rule_deleted_looks_nothing_up(deletion: Literal["purge", "ignore"]) -> None:
    rules = AccountRules(deletion=deletion)
    folded = fold(events_of((account(active=False, status="deleted"),)), World(NOW), "live", rules, backfill=False)
    assert folded.look_ups == []
    assert folded.fates == (["indexed"] if deletion == "purge" else ["account_status"])
    assert len(folded.accounts) == (deletion == "purge")


def profile(rkey: str = "self", **fields: Any) -> bytes:
    return create(uri(A, "app.bsky.actor.profile", rkey), record("app.bsky.actor.profile"), **fields)


@pytest.mark.parametrize(
    ("payload", "asks"),
    [
        (identity(time=T), True),
        (account(active=True), True),
        (account(active=False, status="suspended"), True),
        (profile(), True),
        (profile("other"), True),
        (profile(seq=-2), True),
        (delete(uri(A, "app.bsky.actor.profile", "self")), True),
        (create(like_uri(A, "a"), like(like_uri(B, "b"))), False),
    ],
)
def test_rule_what_has_a_handle_looked_up(payload: bytes, asks: bool) -> None:
    for look_ups in (True, False):
        rules = AccountRules(look_ups=look_ups)
        folded = fold(events_of((payload,)), World(NOW), "live", rules, backfill=False)
        assert folded.fates == ["indexed"]
        assert [asking.did for asking in folded.look_ups] == ([A] if asks and look_ups else [])


def test_a_stale_profile_counts_as_applied() -> None:
    newer = profile(rev="3m00000000032", time=at(HOUR))
    folded = fold(events_of((newer, profile(rev="3m00000000022"))), World(NOW), "live", backfill=False)
    assert len(folded.look_ups) == 2


def test_rule_the_newest_account_event_decides_in_whatever_order() -> None:
    payloads = [
        account(time=T, active=False, status="takendown"),
        account(time="2025-10-20T14:00:00.000+03:00", active=False, status="suspended"),  # 11:00 in UTC
        account(time="2025-10-20T10:30:00Z", active=True),
        account(time="garbage", active=False, status="deactivated"),
        account(time=at(HOUR / 4), active=False, status="deleted"),
        account(time=at(HOUR / 3), active=False, status="deleted"),
    ]
    for order in itertools.permutations(payloads):
        statuses, deletions, kept = standings(events_of(order))
        assert statuses[A].status == "suspended"
        assert deletions[A].time == at(HOUR / 3)
        assert kept.keys() == {A}


def test_account_events_of_one_instant_do_not_depend_on_order() -> None:
    same = [
        account(time=T, active=False, status="takendown"),
        account(time=T, active=True),
        account(time=T[:-1] + "+00:00", active=True),
    ]
    assert len({standings(events_of(order))[0][A] for order in itertools.permutations(same)}) == 1


def test_an_active_account_needs_no_row() -> None:
    assert standings(events_of((account(time=T, active=True),)))[2] == {}


def test_dates_of_any_text_are_values() -> None:
    texts = [T, "garbage", "\ud800", "2025-10-20 10:00:00+00"]
    assert parse_dates(texts) == [1760954400000, None, None, 1760954400000]
    assert parse_dates([]) == []
    with pytest.raises(TypeError):
        parse_dates([None])  # type: ignore[list-item]
