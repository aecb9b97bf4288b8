"""Rates, and when it ends, from counts at some moments."""

import pytest

from indexer.commands.status.estimates import NOISE, Count, Empty, Rates, empty, full, rates
from indexer.commands.status.implementations import looks_like
from indexer.commands.status.texts import duration, empty_text, size
from indexer.lane.pending import Consumer


def counts(*figures: tuple[float, int | None, int]) -> list[Count]:
    return [Count(*figure) for figure in figures]


def test_what_is_gone_is_what_was_added_and_is_not_left() -> None:
    assert rates(counts((0, 100, 50), (10, 130, 60))) == Rates(3.0, 2.0)
    assert rates(counts((0, 100, 50), (5, 110, 60), (10, 130, 60))) == Rates(3.0, 2.0)


@pytest.mark.parametrize(
    "known", [[], counts((0, 1, 1)), counts((0, None, 9), (1, None, 8)), counts((0, 100, 9), (1, 3, 3))]
)
def test_without_two_counts_of_one_stream_there_are_no_rates(known: list[Count]) -> None:
    assert rates(known) == Rates(None, None)


def test_rates_begin_when_it_is_known_what_was_added() -> None:
    """A group that has read nothing yet has no figure; it need not wait until that moment is forgotten."""
    assert rates(counts((0, None, 50), (10, 100, 50), (20, 130, 60))) == Rates(3.0, 2.0)


def test_steady_stream_is_empty_at_one_time() -> None:
    assert empty(counts((0, 0, 100), (1, 0, 90), (2, 0, 80))) == Empty(8.0, 8.0, 8.0)


def test_unsteady_stream_has_a_range() -> None:
    found = empty(counts((0, 0, 120), (1, 0, 100), (2, 0, 90), (3, 0, 70), (4, 0, 60)))
    assert found.seconds == pytest.approx(4.0)
    assert found.least is not None
    assert found.most is not None
    assert found.least < 4.0 < found.most


def test_stream_that_grows_is_not_empty_some_day() -> None:
    assert empty(counts((0, 0, 10), (1, 0, 20), (2, 0, 30))).seconds is None
    assert empty_text(empty(counts((0, 0, 10), (1, 0, 20), (2, 0, 30)))) == "not now"


def test_nothing_left_is_empty_and_one_look_tells_nothing() -> None:
    assert empty(counts((0, 0, 0))) == Empty(0.0, 0.0, 0.0)
    assert empty(counts((0, 0, 10))) == Empty(None)


def test_redis_is_full_when_its_growth_has_come_there() -> None:
    grown = 2 * NOISE
    assert full((0.0, 2.0), (0, grown), 3 * grown) == 4.0
    assert full((0.0, 2.0), (grown, grown), grown) == 0.0
    assert full((0.0, 2.0), (0, NOISE), 3 * grown) is None
    assert full((0.0, 2.0), (grown, 0), 3 * grown) is None
    assert full((0.0, 2.0), (0, grown), 0) is None


@pytest.mark.parametrize(
    ("consumer", "libraries", "implementation"),
    [
        ("mine", None, "ours"),
        ("dead", ("redis-rs",), "ours, gone"),
        ("no-lease-yet", None, "ours"),
        ("indexer_3", None, "rsky?"),
        ("other", None, "TypeScript or rsky"),
        ("other", (), "TypeScript or rsky"),
        ("other", ("",), "TypeScript?"),
        ("other", ("redis-rs", "redis-rs"), "rsky?"),
        ("other", ("redis-rs", ""), "TypeScript or rsky"),
    ],
)
def test_consumers_are_told_apart(consumer: str, libraries: tuple[str, ...] | None, implementation: str) -> None:
    leases, applications = {"mine": -4.0, "dead": 60.0}, ("indexer/no-lease-yet", "psql")
    one = Consumer(consumer.encode(), 3, 0.0)
    assert looks_like(one, leases, applications, libraries) == implementation


def test_who_holds_nothing_and_does_not_read_may_be_anybody() -> None:
    """Also one of ours that ended in order: it leaves no lease, but a wish to be paused stays."""
    ended = Consumer(b"indexer-1", 0, 60.0)
    for libraries in (None, (), ("",), ("redis-rs",)):
        assert looks_like(ended, {}, (), libraries) == "unknown"
    assert looks_like(ended, {}, (), None, {"indexer-1"}) == "ours, gone"
    assert looks_like(Consumer(b"typescript-1", 0, 1.0), {}, (), None) == "unknown"
    assert looks_like(Consumer(b"typescript-1", 0, 1.0), {}, (), ("",)) == "TypeScript?"
    assert looks_like(Consumer(b"typescript-1", 1, 60.0), {}, (), ("",)) == "TypeScript?"


def test_figures_are_short() -> None:
    assert [duration(s) for s in (None, 3.2, 119, 600, 7_300, 40 * 3600, 50 * 3600)] == [
        "-",
        "3 s",
        "119 s",
        "10 min",
        "2 h",
        "40 h",
        "2 d",
    ]
    assert [size(n) for n in (5, 2048, 3 * 2**20, 5 * 2**40)] == ["5 B", "2.0 KiB", "3.0 MiB", "5.0 TiB"]
    assert empty_text(Empty(60.0, 30.0, None)) == "60 s (30 s to never)"
