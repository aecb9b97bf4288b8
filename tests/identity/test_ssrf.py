"""No connection leaves towards what is not public: by name, by literal, by redirect, by answers that mix or change.

The switchboard records every socket that is about to be connected; what it has no route for is refused.
"""

import itertools
import os
from typing import Any
from urllib.parse import quote

import pytest

from indexer.identity import Found, Hosting, Resolver, Unusable
from indexer.identity.http import Client, GuardedSockets
from indexer.identity.outcomes import Failure
from indexer.identity.responses import Response
from tests.identity.conftest import ALICE, Internet, document, leads_to, roomy, says
from tests.identity.network import WebHosts
from tests.identity.test_addresses import REFUSED
from tests.identity.test_urls import ODD_HOSTS

ADDRESSES = [
    address
    for kind, addresses in REFUSED.items()
    if kind not in {"other spellings", "zone ids"}
    for address in addresses
]
LITERALS = [f"[{address}]" if ":" in address else address for address in ADDRESSES]
HOSTS = [*LITERALS, *ODD_HOSTS, "[fe80::1%eth0]", "[fe80::1%25eth0]", "127.0.0.1:443", "[::1]:443", "127.0.0.1:8080"]


def test_the_matrix_is_large_enough() -> None:
    assert len(set(ADDRESSES)) >= 80
    assert len(set(HOSTS)) >= 80


@pytest.mark.parametrize("url", ["https://{}/x", "http://{}/x"])
async def test_no_literal_and_no_odd_spelling_is_connected_to(internet: Internet, url: str) -> None:
    client = internet.client()
    for host in HOSTS:
        answer = await client.get(url.format(host), max_bytes=100)
        assert isinstance(answer, Failure), host
        assert answer.cause in {"bad_url", "forbidden_port", "forbidden_address"}, (host, answer)
    assert internet.switchboard.dialled == []
    assert internet.names.asked == [], "not even a question leaves"


async def test_no_name_of_such_an_address_is_connected_to(internet: Internet) -> None:
    client = internet.client()
    for number, address in enumerate(ADDRESSES):
        internet.names.addresses[f"h{number}.example"] = [address]
        answer = await client.get(f"https://h{number}.example/", max_bytes=100)
        assert answer == Failure("forbidden_address"), address
    assert internet.switchboard.dialled == []


async def test_no_redirect_leads_to_such_a_target(internet: Internet) -> None:
    client = internet.client(roomy(per_host=1))
    public = internet.host("public.example", says("never asked twice"))
    targets = [f"https://{host}/" for host in HOSTS if host.isascii() and host.isprintable()]
    targets += [f"//{host}/" for host in LITERALS]
    targets += ["http://public.example/", "https://public.example:8443/", "file:///etc/passwd", "gopher://127.0.0.1/"]
    for location in targets:
        internet.web.handlers["public.example"] = leads_to(location)
        answer = await client.get("https://public.example/", max_bytes=100, redirects=1)
        assert isinstance(answer, Failure), (location, answer)
        assert answer.cause in {"bad_url", "forbidden_port", "forbidden_address", "redirect"}, (location, answer)
    assert set(internet.switchboard.dialled) == {(public, 443)}


async def test_no_redirect_leads_to_a_name_of_such_an_address(internet: Internet) -> None:
    client = internet.client()
    public = internet.host("public.example", says(""))
    for number, address in enumerate(ADDRESSES):
        internet.names.addresses[f"h{number}.example"] = [address]
        internet.web.handlers["public.example"] = leads_to(f"https://h{number}.example/", status=307)
        assert await client.get("https://public.example/", max_bytes=100, redirects=5) == Failure("forbidden_address")
    assert set(internet.switchboard.dialled) == {(public, 443)}


async def test_of_answers_that_mix_only_the_public_addresses_are_connected_to(internet: Internet) -> None:
    client = internet.client()
    public = internet.host("mixed.example", says("hello"))
    for address in ADDRESSES:
        for order in ([address, public], [public, address]):
            internet.names.addresses["mixed.example"] = order
            answer = await client.get("https://mixed.example/", max_bytes=100)
            assert isinstance(answer, Response), (order, answer)
    assert set(internet.switchboard.dialled) == {(public, 443)}


async def test_of_answers_that_flip_only_the_judged_one_counts(internet: Internet) -> None:
    """A time to live of 0: the next question would give 127.0.0.1. There is no next question within a request."""
    client = internet.client(roomy(host_trips=1000))
    public = internet.host("flip.example", says("hello"))
    for first, second in (([public], ["127.0.0.1"]), (["127.0.0.1"], [public])):
        # Both families are asked for: two questions belong together.
        pairs = itertools.cycle([first, first, second, second])
        internet.names.flips["flip.example"] = pairs
        for _ in range(20):
            asked = len(internet.names.asked)
            answer = await client.get("https://flip.example/", max_bytes=100)
            assert isinstance(answer, Response) or answer == Failure("forbidden_address")
            assert len(internet.names.asked) - asked == 2
    assert set(internet.switchboard.dialled) == {(public, 443)}


async def test_an_alias_of_a_private_name_is_judged_by_its_address(internet: Internet) -> None:
    internet.names.addresses["localhost.example"] = ["127.0.0.1", "::1"]
    assert await internet.client().get("https://localhost.example/", max_bytes=9) == Failure("forbidden_address")
    for name in ("sub.localhost", "a.b.localhost"):
        assert await internet.client().get(f"https://{name}/", max_bytes=9) == Failure("forbidden_address")
    assert internet.switchboard.dialled == []


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_socket_itself_is_not_made_for_such_an_address(address: str) -> None:
    """Even if an address came past all other checks."""
    made: list[Any] = []
    sockets = GuardedSockets(allow_private=False, open_socket=made.append)  # type: ignore[arg-type]
    place = (address, 443, 0, 0) if ":" in address else (address, 443)
    with pytest.raises(OSError, match="not a public address"):
        sockets.open((10 if ":" in address else 2, 1, 6, "", place))
    assert made == []


@pytest.mark.parametrize("place", [("45.0.0.1", 80), ("45.0.0.1", 8443), ("2606:4700::1", 443, 0, 3), ("45.0.0.1", 0)])
def test_the_socket_itself_is_not_made_for_another_port_or_a_zone(place: Any) -> None:
    made: list[Any] = []
    sockets = GuardedSockets(allow_private=False, open_socket=made.append)  # type: ignore[arg-type]
    with pytest.raises(OSError, match="not a public address"):
        sockets.open((2, 1, 6, "", place))
    assert made == []


class _Credulous(Client):
    """Thinks that every address is good: only the sockets are left to object."""

    async def _judged(self, goal: Any, budget: Any) -> list[str] | Failure:
        return await self._names.addresses(goal.host)


async def test_the_sockets_object_when_nothing_else_does(internet: Internet) -> None:
    client = internet.client()
    credulous = _Credulous.__new__(_Credulous)
    credulous.__dict__.update(client.__dict__)
    for number, address in enumerate(ADDRESSES):
        internet.names.addresses[f"h{number}.example"] = [address]
        assert await credulous.get(f"https://h{number}.example/", max_bytes=9) == Failure("local"), address
    assert internet.switchboard.dialled == []


async def _resolver(internet: Internet, **options: Any) -> Resolver:
    return await internet.resolver(roomy(backoff_s=(0.0,)), **options)


async def test_did_web_hosts_are_judged(internet: Internet) -> None:
    resolver = await _resolver(internet)
    names = [f"n{number}.example" for number in range(len(ADDRESSES))]
    internet.names.addresses.update({name: [address] for name, address in zip(names, ADDRESSES, strict=True)})
    hosts = [*HOSTS, *names, "localhost", "localhost:8080", "public.example:8443", "public.example/..", "a?b.example"]
    for host in hosts:
        outcome = await resolver.look_up(f"did:web:{quote(host, safe='')}")
        assert isinstance(outcome, Unusable), (host, outcome)
        assert outcome.cause in {"bad_did", "bad_url", "forbidden_port", "forbidden_address"}, (host, outcome)
    assert internet.switchboard.dialled == []


async def test_handles_are_judged(internet: Internet) -> None:
    resolver = await _resolver(internet)
    names = [f"n{number}.example" for number in range(len(ADDRESSES))]
    internet.names.addresses.update({name: [address] for name, address in zip(names, ADDRESSES, strict=True)})
    for handle in [*HOSTS, *names, "public.example:8443", "public.example/path", "public.example?x", "public.example#"]:
        if not handle:
            continue
        internet.documents[ALICE] = document(handle=handle)
        outcome = await resolver.look_up(ALICE)
        assert isinstance(outcome, Found), (handle, outcome)
        assert outcome.handle is None
        assert outcome.cause in {"bad_handle", "forbidden_address"}, (handle, outcome)
    assert internet.switchboard.dialled == []


async def test_pds_endpoints_are_judged(internet: Internet) -> None:
    resolver = await _resolver(internet)
    names = [f"n{number}.example" for number in range(len(ADDRESSES))]
    internet.names.addresses.update({name: [address] for name, address in zip(names, ADDRESSES, strict=True)})
    endpoints = [f"https://{host}" for host in [*HOSTS, *names]] + ["http://pds.example", "https://pds.example:8443"]
    for endpoint in endpoints:
        internet.documents[ALICE] = document(pds=endpoint)
        hosting = await resolver.hosting(ALICE)
        # What is no URL at all names no PDS; everything else is not asked.
        assert hosting == Hosting("gone", "no_pds") or hosting.answer == "unknown", (endpoint, hosting)
        assert hosting.cause in {"no_pds", "bad_url", "forbidden_port", "forbidden_address"}, (endpoint, hosting)
    assert internet.switchboard.dialled == []


async def test_a_pds_that_redirects_inwards_is_not_followed(internet: Internet) -> None:
    resolver = await _resolver(internet)
    public = internet.host("pds.example", leads_to("https://169.254.169.254/latest/meta-data"))
    internet.documents[ALICE] = document()
    assert (await resolver.hosting(ALICE)).answer == "unknown"
    assert set(internet.switchboard.dialled) == {(public, 443)}


async def test_proxies_of_the_environment_are_not_used(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy: WebHosts = await internet.start(WebHosts().running())
    for variable in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy", "no_proxy"):
        for name in (variable, variable.upper()):
            monkeypatch.setenv(name, "" if "no_" in name.lower() else f"http://127.0.0.1:{proxy.port}")
    monkeypatch.setenv("NETRC", os.devnull)
    public = internet.host("alice.example", says(ALICE))
    internet.documents[ALICE] = document()
    outcome = await (await _resolver(internet)).look_up(ALICE)
    assert isinstance(outcome, Found)
    assert outcome.handle == "alice.example"
    assert proxy.requests == []
    assert internet.switchboard.dialled == [(public, 443)]


async def test_the_operators_directory_may_be_anywhere_but_does_not_redirect(internet: Internet) -> None:
    """PLC_URL names loopback, http and another port here, without private addresses being allowed."""
    internet.directory.fallback = leads_to(f"http://127.0.0.1:{internet.web.port}/")
    outcome = await (await _resolver(internet)).look_up(ALICE)
    assert outcome.cause == "redirect"
    assert internet.web.requests == []


async def test_development_allows_private_addresses_and_other_ports(internet: Internet) -> None:
    resolver = await _resolver(internet, allow_private_addresses=True)
    commit: WebHosts = await internet.start(WebHosts().running())
    commit.fallback = says('{"cid":"bafy","rev":"3k"}')
    internet.switchboard.routes["127.0.0.1"] = commit.port
    for endpoint in ("http://localhost:2583", "http://127.0.0.1:3000", f"http://127.0.0.1:{commit.port}"):
        internet.documents[ALICE] = document(pds=endpoint)
        assert (await resolver.hosting(ALICE)).answer == "hosted", endpoint
    assert ("127.0.0.1", 2583) in internet.switchboard.dialled
