"""Whose fault a failure is."""

from indexer.identity import Limits
from indexer.identity.witness import Verdict, Witness

LIMITS = Limits(silent_least=5, unreached_least=20, witness_s=60, pending_s=1)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def seen(verdicts: dict[str, Verdict | None]) -> tuple[Witness, Clock]:
    clock = Clock()
    witness = Witness(LIMITS, clock)
    for host, verdict in verdicts.items():
        witness.end(witness.begin(host), verdict)
    return witness, clock


def hosts(count: int, verdict: Verdict | None, prefix: str = "h") -> dict[str, Verdict | None]:
    return {f"{prefix}{number}": verdict for number in range(count)}


def test_one_silent_host_is_to_blame() -> None:
    witness, _ = seen({"a": "silent"})
    assert not witness.is_widespread("a")


def test_some_silent_hosts_are_to_blame() -> None:
    witness, _ = seen({"a": "silent", **hosts(4, "silent")})
    assert not witness.is_widespread("a")


def test_many_silent_hosts_are_not() -> None:
    witness, _ = seen({"a": "silent", **hosts(5, "silent")})
    assert witness.is_widespread("a")


def test_the_same_host_counts_once() -> None:
    witness, _ = seen({"a": "silent"})
    for _ in range(50):
        witness.end(witness.begin("b"), "silent")
    assert not witness.is_widespread("a")


def test_many_silent_hosts_among_more_that_answer_are_to_blame() -> None:
    witness, _ = seen({**hosts(30, "silent"), **hosts(30, "answered", "g")})
    assert not witness.is_widespread("h0")


def test_fewer_that_answer_do_not_excuse_us() -> None:
    witness, _ = seen({**hosts(30, "silent"), **hosts(10, "answered", "g")})
    assert witness.is_widespread("h0")


def test_requests_that_wait_for_long_count_as_silent() -> None:
    witness, clock = seen({})
    for number in range(6):
        witness.begin(f"h{number}")
    witness.end(1, "silent")
    assert not witness.is_widespread("h0")
    clock.now = 1.5
    assert witness.is_widespread("h0")


def test_what_was_long_ago_does_not_count() -> None:
    witness, clock = seen(hosts(10, "silent"))
    clock.now = 60.5
    assert not witness.is_widespread("a")


def test_refusals_and_tls_failures_everywhere_are_ours() -> None:
    """A local firewall, or no root certificates."""
    witness, _ = seen(hosts(20, "failed"))
    assert not witness.is_widespread("h0")
    assert witness.is_widespread("a")


def test_but_not_where_a_single_host_answers() -> None:
    witness, _ = seen({**hosts(50, "failed"), "b": "answered"})
    assert not witness.is_widespread("a")


def test_the_newest_outcome_of_a_host_counts() -> None:
    witness, _ = seen(hosts(10, "silent"))
    for host in hosts(10, None):
        witness.end(witness.begin(host), "answered")
    assert not witness.is_widespread("a")


def test_what_taught_nothing_does_not_count() -> None:
    witness, _ = seen(hosts(100, None))
    assert not witness.is_widespread("a")
