"""The stand-in answers as the README of the oracle says."""

import asyncio
from pathlib import Path

import pytest

from indexer.identity import Deferred, Found, NotFound, Resolver, Unusable
from tests.identity.conftest import SHORT
from tests.identity.stand_in import StandIn, handle_of


def test_the_handle_of_a_did() -> None:
    assert handle_of("did:plc:ABC2_x") == "user-abc2-x.test"
    assert handle_of("did:web:Example.com") == "user-example-com.test"


@pytest.mark.parametrize("did", ["did:plc:ABCDEF", "did:web:example.com", *(f"did:plc:{n:024}" for n in range(8))])
async def test_every_did_resolves_both_ways(tmp_path: Path, did: str) -> None:
    async with StandIn().running(tmp_path) as stand_in, Resolver(**stand_in.arguments()) as resolver:
        outcome = await resolver.look_up(did)
        assert isinstance(outcome, Found)
        assert outcome.handle == handle_of(did)


async def test_both_methods_are_used(tmp_path: Path) -> None:
    async with StandIn().running(tmp_path) as stand_in, Resolver(**stand_in.arguments()) as resolver:
        dids = [f"did:plc:{number:024}" for number in range(20)]
        outcomes = await asyncio.gather(*map(resolver.look_up, dids))
        assert [outcome.handle for outcome in outcomes if isinstance(outcome, Found)] == [*map(handle_of, dids)]
        assert len({host for host, path in stand_in.https.requests if path == "/.well-known/atproto-did"}) > 3


async def test_a_missing_did_does_not_resolve(tmp_path: Path) -> None:
    async with StandIn().running(tmp_path) as stand_in, Resolver(**stand_in.arguments()) as resolver:
        assert await resolver.look_up("did:plc:missing0000") == NotFound()
        assert await resolver.look_up("did:web:missing.test") == NotFound()
        assert await resolver.look_up("not-a-did") == Unusable("unknown_method")


async def test_the_pds_hosts_all_accounts_but_the_deleted(tmp_path: Path) -> None:
    async with StandIn().running(tmp_path) as stand_in, Resolver(**stand_in.arguments()) as resolver:
        assert (await resolver.hosting("did:plc:abc")).answer == "hosted"
        stand_in.deleted.add("did:plc:abc")
        assert (await resolver.hosting("did:plc:abc")).answer == "gone"
        assert (await resolver.hosting("did:plc:other")).answer == "hosted"


async def test_it_can_hang_and_answer_again(tmp_path: Path) -> None:
    async with StandIn().running(tmp_path) as stand_in, Resolver(**stand_in.arguments(), limits=SHORT) as resolver:
        stand_in.hang()
        assert isinstance(await resolver.look_up("did:plc:abc"), Deferred)
        stand_in.hang(False)
        assert isinstance(await resolver.look_up("did:plc:abc"), Found)
        stand_in.directory_answer = (429, {"Retry-After": "5"})
        assert await resolver.look_up("did:plc:abc") == Deferred("rate_limited", 5)
