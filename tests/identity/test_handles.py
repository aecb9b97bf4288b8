"""actors.md 2.4, and what counts against a handle (the table in `handles.py`)."""

import asyncio
import ssl
import time
from typing import Any

import dns.rcode
import pytest
from aiohttp import web

from indexer.identity import Limits
from indexer.identity.handles import Handles, Refuted, Undecided, Verified
from indexer.identity.outcomes import Cause
from tests.identity.conftest import ALICE, BOB, SHORT, Hanging, Internet, leads_to, roomy, says
from tests.identity.network import WebHosts

HANDLE = "alice.example"
TEXTS = f"_atproto.{HANDLE}"


async def handles(internet: Internet, limits: Limits | None = None, **options: Any) -> Handles:
    return (await internet.resolver(limits, **options))._handles


async def verify(internet: Internet, limits: Limits | None = None, **options: Any) -> Verified | Refuted | Undecided:
    return await (await handles(internet, limits, **options)).verify(HANDLE, ALICE)


async def test_rule_dns_text_record_of_the_handle(internet: Internet) -> None:
    internet.proof(HANDLE)
    assert await verify(internet) == Verified()
    assert (TEXTS, "TXT") in internet.names.asked


async def test_rule_https_well_known(internet: Internet) -> None:
    """Lessons L-27: without a TXT record the HTTPS method is tried."""
    internet.host(HANDLE, says(ALICE))
    assert await verify(internet) == Verified()
    assert internet.web.requests == [(HANDLE, "/.well-known/atproto-did")]


@pytest.mark.parametrize(
    "records",
    [
        [[b"did=" + ALICE.encode()]],
        [[b"di", b"d=did:plc:", ALICE.removeprefix("did:plc:").encode()]],
        [[b"v=spf1"], [b"did=" + ALICE.encode()], [b"DID=" + BOB.encode()], [b" did=" + BOB.encode()]],
        [*([b"noise %d" % number] for number in range(500)), [b"did=" + ALICE.encode()]],
    ],
)
async def test_rule_dns_chunks_are_concatenated_and_others_ignored(internet: Internet, records: Any) -> None:
    internet.names.texts[TEXTS] = records
    assert await verify(internet) == Verified()


@pytest.mark.parametrize(
    ("records", "cause"),
    [
        ([[b"did=" + ALICE.encode()], [b"did=" + BOB.encode()]], "no_address"),  # not exactly one: no result
        ([[b"did="]], "no_address"),
        ([[b"v=spf1"]], "no_address"),
        ([[b"did=" + ALICE.encode() + b" "]], "other_did"),  # not trimmed
        ([[b"did= " + ALICE.encode()]], "other_did"),
        ([[b"did=" + ALICE.upper().encode()]], "other_did"),
        ([[b"did=garbage"]], "other_did"),  # not validated
        ([[b"did=\xff"]], "other_did"),
    ],
)
async def test_rule_dns_exactly_one_not_trimmed_not_validated(internet: Internet, records: Any, cause: Cause) -> None:
    internet.names.texts[TEXTS] = records
    assert await verify(internet) == Refuted(cause)


async def test_rule_dns_wins_over_https(internet: Internet) -> None:
    internet.proof(HANDLE, BOB)
    internet.host(HANDLE, says(ALICE))
    assert await verify(internet) == Refuted("other_did")
    internet.proof(HANDLE, ALICE)
    internet.host(HANDLE, says(BOB))
    assert await verify(internet) == Verified()


async def test_rule_dns_result_cancels_https(internet: Internet) -> None:
    hanging = Hanging(says(ALICE))
    internet.host(HANDLE, hanging)
    internet.proof(HANDLE)
    async with asyncio.timeout(20):
        assert await verify(internet, Limits(timeout_s=60)) == Verified()


async def test_rule_dns_and_https_start_together(internet: Internet) -> None:
    """The name server is silent; the HTTPS host is asked all the same, at once."""
    internet.names.silent.add(TEXTS)
    internet.host(HANDLE, says(ALICE))
    task = asyncio.create_task(verify(internet, Limits(timeout_s=2, dns_try_s=1)))
    async with asyncio.timeout(20):
        await internet.web.arrived(1)
        assert not task.done()
        assert await task == Verified()


async def test_rule_a_dns_error_counts_as_no_result(internet: Internet) -> None:
    internet.names.failing[TEXTS] = dns.rcode.SERVFAIL
    internet.host(HANDLE, says(ALICE))
    assert await verify(internet) == Verified()


@pytest.mark.parametrize("status", [200, 404, 500, 403, 503])
async def test_rule_https_status_is_ignored(internet: Internet, status: int) -> None:
    internet.host(HANDLE, says(ALICE, status))
    assert await verify(internet) == Verified()


@pytest.mark.parametrize(
    "body",
    [
        ALICE,
        f"{ALICE}\n",
        f"{ALICE}\r\nmore\n",
        f"  \t{ALICE}\u00a0\u3000 \n",
        f"\ufeff{ALICE}",
        f"\ufeff\ufeff{ALICE}",
        f"{ALICE}\n" + "x" * 100_000,
    ],
)
async def test_rule_https_first_line_trimmed(internet: Internet, body: str) -> None:
    internet.host(HANDLE, says(body))
    assert await verify(internet) == Verified()


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        ("", "no_proof"),
        (f"\n{ALICE}", "no_proof"),
        ("<html>", "no_proof"),
        (ALICE.upper(), "no_proof"),
        (f"did={ALICE}", "no_proof"),
        (f"\x1c{ALICE}", "no_proof"),  # JavaScript's trim() leaves this one
        (BOB, "other_did"),
        (f"{ALICE} {ALICE}", "other_did"),
        (f"{ALICE}x", "other_did"),
        ("did:", "other_did"),
        (ALICE + " " * 3000, "no_proof"),  # beyond the cap the line is not known
    ],
)
async def test_rule_https_must_start_with_did(internet: Internet, body: str, cause: Cause) -> None:
    internet.host(HANDLE, says(body))
    assert await verify(internet) == Refuted(cause)


async def test_rule_https_redirects_are_followed(internet: Internet) -> None:
    internet.host(HANDLE, leads_to("https://www.alice.example/proof", 301))
    internet.host("www.alice.example", says(ALICE))
    assert await verify(internet) == Verified()


async def test_rule_https_time_limit(internet: Internet) -> None:
    internet.host(HANDLE, Hanging(says(ALICE)))
    assert await verify(internet, SHORT) == Refuted("timeout")


@pytest.mark.parametrize(
    "handle",
    [
        "",
        "alice",
        "alice.example.",
        "alice.example:443",
        "a/b.example",
        "a@b.example",
        "bücher.example",
        "127.0.0.1",
        "a b.c",
    ],
)
async def test_what_is_no_host_name_is_no_handle(internet: Internet, handle: str) -> None:
    assert await (await handles(internet)).verify(handle, ALICE) == Refuted("bad_handle")
    assert internet.names.asked == []


async def test_a_handle_is_looked_up_as_it_is_written(internet: Internet) -> None:
    internet.proof(HANDLE)
    assert await (await handles(internet)).verify("Alice.Example", ALICE) == Verified()
    assert ("_atproto.Alice.Example", "TXT") in internet.names.asked


# --- what counts against the handle


async def test_against_no_such_name(internet: Internet) -> None:
    assert await verify(internet) == Refuted("no_address")


async def test_against_only_addresses_that_are_not_public(internet: Internet) -> None:
    internet.names.addresses[HANDLE] = ["127.0.0.1", "fd00::1"]
    assert await verify(internet) == Refuted("forbidden_address")


async def test_against_connection_refused(internet: Internet) -> None:
    internet.names.addresses[HANDLE] = ["45.9.9.9"]
    assert await verify(internet) == Refuted("refused")


async def test_against_tls_failure(internet: Internet) -> None:
    hosts: WebHosts = await internet.start(WebHosts().running(internet.authority.server("other.example")))
    internet.place(HANDLE, hosts.port)
    assert await verify(internet) == Refuted("tls")


async def test_against_too_many_redirects(internet: Internet) -> None:
    internet.host(HANDLE, leads_to("/again"))
    assert await verify(internet) == Refuted("redirect")


async def test_against_redirect_to_plain_http(internet: Internet) -> None:
    internet.host(HANDLE, leads_to(f"http://{HANDLE}/"))
    assert await verify(internet) == Refuted("forbidden_port")


async def test_against_a_body_that_drips(internet: Internet) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for character in ALICE * 10:
            await response.write(character.encode())
            await asyncio.sleep(0.1)
        return response

    internet.host(HANDLE, drip)
    assert await verify(internet, SHORT) == Refuted("slow")


async def test_against_a_domain_whose_name_servers_fail_while_others_answer(internet: Internet) -> None:
    internet.names.failing |= {TEXTS: dns.rcode.SERVFAIL, HANDLE: dns.rcode.SERVFAIL}
    assert await verify(internet, SHORT) == Refuted("dns")


async def test_against_a_domain_whose_name_servers_are_silent_while_others_answer(internet: Internet) -> None:
    internet.names.silent |= {TEXTS, HANDLE}
    assert await verify(internet, SHORT) == Refuted("dns")


async def test_against_a_silent_host_among_hosts_that_answer(internet: Internet) -> None:
    subject = await handles(internet, SHORT)
    for number in range(3):
        internet.host(f"n{number}.example", says(BOB))
        await subject.verify(f"n{number}.example", BOB)
    internet.place(HANDLE, internet.silent_port)
    assert await subject.verify(HANDLE, ALICE) == Refuted("timeout")


# --- what does not


@pytest.mark.parametrize("answers", ["nothing", "SERVFAIL", "REFUSED"])
async def test_undecided_while_our_name_servers_do_not_answer(internet: Internet, answers: str) -> None:
    if answers == "nothing":
        internet.names.is_down = True
    else:
        code = dns.rcode.from_text(answers)
        internet.names.answer_all = code
    assert await verify(internet, SHORT) == Undecided("dns", 30)


async def test_undecided_when_our_name_servers_fail_and_https_names_another(internet: Internet) -> None:
    """The TXT record might have said otherwise, and it comes first."""
    internet.host(HANDLE, says(BOB))
    subject = await handles(internet, SHORT)
    internet.names.only = {HANDLE}
    assert await subject.verify(HANDLE, ALICE) == Undecided("dns", 30)
    internet.names.only = None
    assert await subject.verify(HANDLE, ALICE) == Refuted("other_did")


async def test_verified_when_our_name_servers_fail_but_https_names_the_did(internet: Internet) -> None:
    internet.host(HANDLE, says(ALICE))
    internet.names.only = {HANDLE}
    assert await verify(internet, SHORT) == Verified()


async def test_undecided_without_a_network(internet: Internet) -> None:
    internet.names.addresses[HANDLE] = ["45.0.0.1"]

    def no_network(_info: object) -> Any:
        raise OSError(101, "Network is unreachable")

    assert await verify(internet, open_socket=no_network) == Undecided("local", 30)


async def test_undecided_without_file_descriptors(internet: Internet) -> None:
    internet.names.addresses[HANDLE] = ["45.0.0.1"]

    def none_left(_info: object) -> Any:
        raise OSError(24, "Too many open files")

    assert await verify(internet, open_socket=none_left) == Undecided("local", 30)


async def test_against_a_host_with_ipv6_only_where_there_is_none(internet: Internet) -> None:
    """As in the reference: it cannot be reached from here, which is no fault of the network."""
    internet.names.addresses[HANDLE] = ["2606:4700::1"]

    def no_route(_info: object) -> Any:
        raise OSError(101, "Network is unreachable")

    assert await verify(internet, open_socket=no_route) == Refuted("unreachable")


async def test_undecided_while_most_hosts_are_silent(internet: Internet) -> None:
    limits = Limits(timeout_s=1.5, pending_s=0.2, silent_least=5, per_address=64, overload_s=1000)
    subject = await handles(internet, limits)
    for number in range(10):
        internet.place(f"n{number}.example", internet.silent_port)
    outcomes = await asyncio.gather(*(subject.verify(f"n{number}.example", ALICE) for number in range(10)))
    assert outcomes == [Undecided("network_down", 30)] * 10


async def test_undecided_without_root_certificates(internet: Internet) -> None:
    """A container without them refuses every certificate: after some hosts none is blamed any more."""
    limits = roomy(unreached_least=5)
    subject = await handles(internet, limits, ssl_context=ssl.create_default_context())
    outcomes = []
    for number in range(8):
        internet.host(f"n{number}.example", says(ALICE))
        outcomes.append(await subject.verify(f"n{number}.example", ALICE))
    assert outcomes == [Refuted("tls")] * 5 + [Undecided("network_down", 30)] * 3


async def test_undecided_while_our_event_loop_is_late(internet: Internet) -> None:
    internet.place(HANDLE, internet.silent_port)
    subject = await handles(internet, Limits(timeout_s=1.5, overload_s=0.5))
    task = asyncio.create_task(subject.verify(HANDLE, ALICE))
    while not internet.switchboard.dialled:
        await asyncio.sleep(0.01)
    time.sleep(1.0)  # noqa: ASYNC251  # what a batch that is folded in this loop would do
    assert await task == Undecided("overloaded", 30)


async def test_lateness_excuses_no_definite_answer(internet: Internet) -> None:
    internet.host(HANDLE, says(BOB))
    subject = await handles(internet, Limits(timeout_s=30, overload_s=-1.0))
    assert await subject.verify(HANDLE, ALICE) == Refuted("other_did")


async def test_undecided_while_the_host_is_busy(internet: Internet) -> None:
    hanging = Hanging(says(ALICE))
    internet.host(HANDLE, hanging)
    subject = await handles(internet, roomy(per_host=1, wait_s=0.1))
    first = asyncio.create_task(subject.verify(HANDLE, ALICE))
    await internet.web.arrived(1)
    assert await subject.verify(HANDLE, ALICE) == Undecided("busy", 0.1)
    hanging.go.set()
    assert await first == Verified()


async def test_undecided_while_the_host_is_left_alone(internet: Internet) -> None:
    internet.names.addresses[HANDLE] = ["45.9.9.9"]
    subject = await handles(internet, roomy(host_trips=2, open_s=12), clock=lambda: 0.0)
    assert await subject.verify(HANDLE, ALICE) == Refuted("refused")
    assert await subject.verify(HANDLE, ALICE) == Refuted("refused")
    assert await subject.verify(HANDLE, ALICE) == Undecided("circuit_open", 12)


async def test_undecided_after_429(internet: Internet) -> None:
    internet.host(HANDLE, says("slow down", status=429, Retry_After="40"))
    subject = await handles(internet, clock=lambda: 0.0)
    assert await subject.verify(HANDLE, ALICE) == Undecided("rate_limited", 40)
    assert await subject.verify(HANDLE, ALICE) == Undecided("rate_limited", 40)
    assert internet.web.asked(HANDLE) == 1


async def test_a_cancelled_look_up_leaves_nothing_behind(internet: Internet) -> None:
    internet.host(HANDLE, Hanging(says(ALICE)))
    subject = await handles(internet, roomy(concurrency=1))
    before = asyncio.all_tasks()
    task = asyncio.create_task(subject.verify(HANDLE, ALICE))
    await internet.web.arrived(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    internet.host("bob.example", says(BOB))
    assert await subject.verify("bob.example", BOB) == Verified()
    ours = {task for task in asyncio.all_tasks() - before if "indexer" in repr(task.get_coro())}
    assert not ours
