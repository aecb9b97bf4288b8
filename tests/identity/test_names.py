"""DNS over real sockets."""

import asyncio
import time
from typing import Any

import dns.name
import dns.rcode
import dns.resolver
import pytest

from indexer.identity import Limits
from indexer.identity.names import Names, _resolver
from indexer.identity.outcomes import Failure
from tests.identity.conftest import SHORT, Internet


@pytest.fixture
def names(internet: Internet) -> Names:
    return Names(SHORT, time.monotonic, [internet.names.place])


async def test_chunks_of_a_text_record_are_put_together(internet: Internet, names: Names) -> None:
    internet.names.texts["a.example"] = [[b"one ", b"two", b""], [b"\xff\x00"]]
    answer = await names.texts("a.example")
    assert not isinstance(answer, Failure)
    assert sorted(answer) == [b"one two", b"\xff\x00"]


async def test_addresses_of_both_families_are_found(internet: Internet, names: Names) -> None:
    internet.names.addresses["a.example"] = ["45.0.0.1", "2606:4700::1", "45.0.0.2"]
    answer = await names.addresses("a.example")
    assert not isinstance(answer, Failure)
    assert sorted(answer) == ["2606:4700::1", "45.0.0.1", "45.0.0.2"]


async def test_names_without_records_have_none(internet: Internet, names: Names) -> None:
    internet.names.addresses["a.example"] = []
    assert await names.addresses("a.example") == []
    assert await names.texts("a.example") == []
    assert await names.addresses("nowhere.example") == []
    assert await names.texts("nowhere.example") == []


@pytest.mark.parametrize("name", ["a..example", f"{'a' * 64}.example", "a." * 127 + "example", ".example"])
async def test_a_name_that_cannot_exist_has_no_records(internet: Internet, names: Names, name: str) -> None:
    assert await names.texts(name) == []
    assert internet.names.asked == []


async def test_the_search_list_is_not_used(internet: Internet) -> None:
    names = Names(SHORT, time.monotonic, [internet.names.place])
    names._resolver.search = [dns.name.from_text("cluster.example")]
    internet.names.addresses["db.cluster.example"] = ["45.0.0.1"]
    assert await names.addresses("db") == []


async def test_a_long_answer_comes_over_tcp(internet: Internet, names: Names) -> None:
    """500 records: more than a datagram holds."""
    internet.names.texts["a.example"] = [[b"record %d" % number] for number in range(500)]
    answer = await names.texts("a.example")
    assert not isinstance(answer, Failure)
    assert sorted(answer) == sorted(b"record %d" % number for number in range(500))
    assert internet.names.over_tcp == ["a.example"]


@pytest.mark.parametrize("code", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.FORMERR, dns.rcode.NOTIMP])
async def test_a_name_server_that_cannot_say_is_no_answer(internet: Internet, names: Names, code: Any) -> None:
    internet.names.failing["a.example"] = code
    assert await names.texts("a.example") == Failure("dns")
    assert await names.addresses("a.example") == Failure("dns")


async def test_a_silent_name_server_is_no_answer_within_the_time_limit(internet: Internet, names: Names) -> None:
    internet.names.is_down = True
    assert await names.texts("a.example") == Failure("dns")
    assert await names.addresses("a.example") == Failure("dns")


async def test_the_time_limit_holds_when_the_wall_clock_jumps(
    internet: Internet, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """dnspython reckons with time.time(); ours is a limit around it."""
    internet.names.is_down = True
    monkeypatch.setattr("time.time", lambda: 0.0)
    async with asyncio.timeout(20):
        assert await names.texts("a.example") == Failure("dns")


async def test_an_unreachable_name_server_is_no_answer() -> None:
    names = Names(SHORT, time.monotonic, [("127.0.0.1", 1)])
    assert await names.texts("a.example") == Failure("dns")


async def test_a_forged_answer_is_not_believed(internet: Internet, names: Names) -> None:
    """Another id, another question: the true answer that follows counts."""
    internet.names.texts["a.example"] = [[b"true"]]

    class Forger:
        def __init__(self, transport: Any) -> None:
            self._transport = transport

        def sendto(self, data: bytes, address: Any) -> None:
            self._transport.sendto(bytes([data[0] ^ 0xFF]) + data[1:].replace(b"true", b"fake"), address)
            self._transport.sendto(b"garbage", address)
            self._transport.sendto(data, address)

    for listener in internet.names.datagrams:
        listener.transport = Forger(listener.transport)
    assert await names.texts("a.example") == [b"true"]


async def test_addresses_do_not_wait_for_the_family_that_is_swallowed(internet: Internet) -> None:
    names = Names(Limits(timeout_s=30, dns_try_s=30), time.monotonic, [internet.names.place])
    internet.names.addresses["a.example"] = ["45.0.0.1"]
    answered = internet.names.answer

    def swallow(wire: bytes, *, tcp: bool) -> bytes | None:
        answer = answered(wire, tcp=tcp)
        return None if internet.names.asked[-1][1] == "AAAA" else answer

    internet.names.answer = swallow  # type: ignore[method-assign]
    async with asyncio.timeout(20):
        assert await names.addresses("a.example") == ["45.0.0.1"]


async def test_localhost_is_known_without_asking(internet: Internet, names: Names) -> None:
    assert await names.addresses("localhost") == ["127.0.0.1", "::1"]
    assert await names.addresses("pds.localhost") == ["127.0.0.1", "::1"]
    assert internet.names.asked == []


async def test_look_ups_run_at_once(internet: Internet, names: Names) -> None:
    """Lessons L-25: none waits for another; the silent ones would add up to minutes."""
    names = Names(Limits(timeout_s=2, dns_try_s=1), time.monotonic, [internet.names.place])
    for number in range(100):
        internet.names.texts[f"n{number}.example"] = [[b"x"]]
        internet.names.silent.add(f"s{number}.example")
    async with asyncio.timeout(20):
        silent = [asyncio.create_task(names.texts(f"s{number}.example")) for number in range(100)]
        assert await asyncio.gather(*(names.texts(f"n{number}.example") for number in range(100))) == [[b"x"]] * 100
        assert await asyncio.gather(*silent) == [Failure("dns")] * 100


async def test_a_control_question_tells_whether_name_servers_work(internet: Internet, names: Names) -> None:
    assert await names.work(time.monotonic())
    internet.names.is_down = True
    assert not await names.work(time.monotonic() + 10)
    await names.close()


async def test_one_control_question_serves_many_look_ups(internet: Internet) -> None:
    now = 100.0
    names = Names(SHORT, lambda: now, [internet.names.place])
    assert all(await asyncio.gather(*(names.work(100.0) for _ in range(50))))
    assert await names.work(100.9)
    assert len(internet.names.asked) == 1
    now = 102.0
    assert await names.work(101.5), "that one was put too long before"
    assert len(internet.names.asked) == 2
    assert len(set(internet.names.asked)) == 2, "no cache can answer it"
    await names.close()


def test_without_resolv_conf_the_local_name_server_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """resolv.conf(5)."""

    def no_file(self: Any, _file: str) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", no_file)
    assert [str(server) for server in _resolver(None).nameservers] == ["Do53:127.0.0.1@53"]


def test_the_configuration_of_the_system_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def given(self: Any, _file: str) -> None:
        self.nameservers = ["10.1.2.3"]

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", given)
    assert [str(server) for server in _resolver(None).nameservers] == ["10.1.2.3"]
