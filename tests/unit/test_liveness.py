"""Who is dead: judged by looks at real times of its own, here given by hand."""

import pytest

from indexer.lane.liveness import RESTART_S, Liveness
from indexer.lane.pending import Consumer

IDLE_S = 600.0
NAME = b"typescript-1"


class Group:
    """Looks at one consumer every five seconds."""

    def __init__(self, idle_s: float = IDLE_S) -> None:
        self.liveness = Liveness(idle_s)
        self.now = 1000.0
        self.read_at = 900.0
        """When the consumer last read; long before the first look."""
        self.pending = 10
        self.overdue: dict[str, float] = {}

    def look(self) -> str | None:
        """Why it is dead, if it is."""
        consumer = Consumer(NAME, self.pending, self.now - self.read_at)
        dead = self.liveness.look(self.now, [consumer], self.overdue)
        return dead[0].reason if dead else None

    def watch(self, seconds: float) -> str | None:
        """The same for a while; how the last look judged."""
        reason = None
        for _ in range(int(seconds / 5)):
            self.now += 5
            self.overdue = {name: since + 5 for name, since in self.overdue.items()}
            reason = self.look()
        return reason


@pytest.fixture
def group() -> Group:
    return Group()


def test_consumer_is_dead_when_nothing_was_seen_of_it_for_the_whole_time(group: Group) -> None:
    assert group.look() is None
    assert group.watch(IDLE_S - 5) is None
    assert group.watch(5) == "idle"


def test_what_was_before_the_first_look_does_not_count(group: Group) -> None:
    group.read_at = -100_000.0
    assert group.look() is None
    assert group.watch(IDLE_S - 5) is None


@pytest.mark.parametrize("sign", ["read", "acknowledged", "was given more"])
def test_sign_of_life_begins_the_time_anew(group: Group, sign: str) -> None:
    group.look()
    group.watch(IDLE_S - 5)
    if sign == "read":
        group.read_at = group.now + 2
    group.pending += {"read": 0, "acknowledged": -1, "was given more": 1}[sign]
    assert group.watch(IDLE_S - 5) is None
    assert group.watch(10) == "idle"


def test_consumer_that_acknowledges_one_entry_now_and_then_lives_for_ever(group: Group) -> None:
    for _ in range(10):
        assert group.watch(IDLE_S - 5) is None
        group.pending -= 1


def test_consumer_that_reads_and_acknowledges_nothing_lives_for_ever(group: Group) -> None:
    """As TypeScript does that has failed messages and an empty stream."""
    for _ in range(100):
        group.read_at = group.now + 4
        assert group.watch(100) is None


def test_dead_one_stays_dead_while_its_entries_are_taken_away(group: Group) -> None:
    group.look()
    assert group.watch(IDLE_S) == "idle"
    while group.pending > 1:
        group.pending -= 3
        assert group.watch(5) == "idle"


def test_dead_one_that_reads_lives_again(group: Group) -> None:
    group.look()
    assert group.watch(IDLE_S) == "idle"
    group.read_at = group.now + 1
    assert group.watch(IDLE_S - 5) is None


def test_who_looked_away_begins_anew(group: Group) -> None:
    group.look()
    group.watch(IDLE_S - 5)
    group.liveness.forget()
    assert group.watch(IDLE_S - 5) is None


def test_clock_of_redis_that_jumps_makes_nobody_dead(group: Group) -> None:
    """Ahead by an hour: everybody seems not to have read for so long."""
    group.look()
    group.watch(60)
    group.read_at -= 3600
    assert group.watch(IDLE_S - 65) is None


def test_one_of_ours_is_dead_some_time_after_its_lease(group: Group) -> None:
    group.look()
    group.overdue = {NAME.decode(): 0.0}
    assert group.watch(RESTART_S - 5) is None, "it may be on its way back"
    assert group.watch(5) == "lease"


def test_one_of_ours_with_a_lease_lives_whatever_it_does(group: Group) -> None:
    """As while its database is slow; a full Redis does not matter either."""
    group.overdue = {NAME.decode(): -1_000_000.0}
    assert group.watch(10 * IDLE_S) is None


def test_lease_that_comes_back_begins_the_time_anew(group: Group) -> None:
    """As after a database that was away: no lease could be renewed."""
    group.overdue = {NAME.decode(): 500.0}
    group.read_at = 100.0
    group.look()
    group.watch(RESTART_S - 5)
    group.overdue = {NAME.decode(): -10.0}
    assert group.look() is None
    group.overdue = {NAME.decode(): 0.0}
    assert group.watch(RESTART_S - 5) is None


def test_who_reads_after_the_lease_ran_out_is_somebody_else_under_the_name(group: Group) -> None:
    """A TypeScript indexer took the name of a stopped instance: it has no lease and needs none."""
    group.overdue = {NAME.decode(): 5000.0}
    assert group.watch(IDLE_S - 5) is None
    assert group.watch(10) == "idle"


def test_shorter_idle_time_shortens_the_time_after_a_lease() -> None:
    group = Group(10.0)
    group.overdue = {NAME.decode(): 0.0}
    group.look()
    assert group.watch(10) == "lease"


def test_consumer_without_entries_is_of_no_interest(group: Group) -> None:
    group.pending = 0
    assert group.watch(2 * IDLE_S) is None
    group.pending = 1
    assert group.watch(IDLE_S - 5) is None, "nobody watched it before"
