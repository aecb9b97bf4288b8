"""actors.md 2.2 from end to end, and the look-ups of vectors.md 10."""

import asyncio
from typing import Any

import pytest
from redis.asyncio import Redis

from indexer.identity import Deferred, DidCache, Found, Limits, NotFound, Resolver, Unusable
from tests.identity.conftest import ALICE, BOB, SHORT, Hanging, Internet, document, gives, roomy, says


async def test_rule_found_with_the_handle_in_lower_case(internet: Internet) -> None:
    """vectors.md 10: document handle `Alice.Test`, resolves to A."""
    internet.documents[ALICE] = document(handle="Alice.Test")
    internet.proof("alice.test")
    resolver = await internet.resolver(now_ms=lambda: 99)
    outcome = await resolver.look_up(ALICE)
    assert outcome == Found(ALICE, "alice.test", document(handle="Alice.Test"), 99)


async def test_rule_a_handle_that_resolves_to_nothing_is_null(internet: Internet) -> None:
    internet.documents[ALICE] = document(handle="Alice.Test")
    outcome = await (await internet.resolver()).look_up(ALICE)
    assert isinstance(outcome, Found)
    assert (outcome.handle, outcome.cause) == (None, "no_address")


async def test_rule_a_handle_that_resolves_to_another_did_is_null(internet: Internet) -> None:
    """vectors.md 10: B claims `alice.test`, which resolves to B: A has no handle, B has it."""
    internet.documents |= {ALICE: document(ALICE, "alice.test"), BOB: document(BOB, "alice.test")}
    internet.proof("alice.test", BOB)
    resolver = await internet.resolver()
    first, second = await resolver.look_up(ALICE), await resolver.look_up(BOB)
    assert isinstance(first, Found)
    assert isinstance(second, Found)
    assert (first.handle, first.cause) == (None, "other_did")
    assert second.handle == "alice.test"


async def test_rule_a_handle_that_times_out_is_null(internet: Internet) -> None:
    internet.documents[ALICE] = document()
    internet.host("alice.example", Hanging(says(ALICE)))
    outcome = await (await internet.resolver(SHORT)).look_up(ALICE)
    assert isinstance(outcome, Found)
    assert (outcome.handle, outcome.cause) == (None, "timeout")


async def test_rule_an_unknown_did_writes_nothing(internet: Internet) -> None:
    """vectors.md 10: unknown DID, pending in the reference."""
    assert await (await internet.resolver()).look_up(ALICE) == NotFound("not_found")


@pytest.mark.parametrize(
    ("members", "cause"),
    [({"alsoKnownAs": []}, "no_handle"), ({"service": []}, "no_pds"), ({"verificationMethod": []}, "no_key")],
)
async def test_rule_a_document_that_lacks_something_writes_nothing(
    internet: Internet, members: dict[str, Any], cause: Any
) -> None:
    internet.documents[ALICE] = document(**members)
    internet.proof("alice.example")
    assert await (await internet.resolver()).look_up(ALICE) == Unusable(cause)
    assert internet.names.asked == [], "such a handle is not looked up"


async def test_rule_did_web_is_looked_up_like_any_other(internet: Internet) -> None:
    did = "did:web:alice.example"
    internet.host("alice.example", gives(document(did, "bob.example")))
    internet.host("bob.example", says(did))
    outcome = await (await internet.resolver()).look_up(did)
    assert isinstance(outcome, Found)
    assert outcome.handle == "bob.example"


async def test_our_network_being_down_changes_no_handle(internet: Internet) -> None:
    internet.documents[ALICE] = document()
    internet.names.is_down = True
    resolver = await internet.resolver(SHORT, now_ms=lambda: 7)
    outcome = await resolver.look_up(ALICE)
    # What the reference would write, for whoever gives up waiting.
    assert outcome == Deferred("dns", 30, Found(ALICE, None, document(), 7, "dns"))


@pytest.mark.parametrize("state", ["down", "slow", "429"])
async def test_a_directory_in_trouble_only_delays(internet: Internet, state: str) -> None:
    internet.documents[ALICE] = document()
    internet.proof("alice.example")
    now = 0.0
    url = f"http://127.0.0.1:{internet.directory.port if state != 'down' else 1}"
    well = internet.directory.fallback
    if state != "down":
        internet.directory.fallback = Hanging(says("")) if state == "slow" else says("", 429, Retry_After="60")
    resolver = await internet.resolver(SHORT, plc_url=url, clock=lambda: now)
    outcome = await resolver.look_up(ALICE)
    assert isinstance(outcome, Deferred)
    assert outcome.fallback is None
    now += outcome.retry_after_s
    if state != "down":
        internet.directory.fallback = well
        assert isinstance(await resolver.look_up(ALICE), Found)


async def test_one_hanging_host_and_100_others(internet: Internet) -> None:
    """Lessons L-25."""
    for number in range(100):
        did = f"did:plc:{number:024}"
        internet.documents[did] = document(did, f"n{number}.example")
        internet.proof(f"n{number}.example", did)
    internet.documents[ALICE] = document()
    internet.host("alice.example", Hanging(says(ALICE)))
    resolver = await internet.resolver(Limits(timeout_s=30))
    async with asyncio.timeout(25):
        hanging = [asyncio.create_task(resolver.look_up(ALICE)) for _ in range(20)]
        others = await asyncio.gather(*(resolver.look_up(f"did:plc:{number:024}") for number in range(100)))
    assert [outcome.handle for outcome in others if isinstance(outcome, Found)] == [f"n{n}.example" for n in range(100)]
    for task in hanging:
        task.cancel()
    await asyncio.gather(*hanging, return_exceptions=True)


async def test_look_ups_that_hang_arrive_when_the_hosts_answer_again(internet: Internet) -> None:
    """None of them becomes NULL meanwhile, although names resolve and the directory answers."""
    limits = Limits(timeout_s=1.5, pending_s=0.2, open_s=0.1, open_most_s=0.1, witness_s=0.5, overload_s=1000)
    dids = [f"did:plc:{number:024}" for number in range(20)]
    hanging = Hanging(says(""))
    for number, did in enumerate(dids):
        internet.documents[did] = document(did, f"n{number}.example")
        internet.host(f"n{number}.example", hanging)
    resolver = await internet.resolver(limits)
    for outcome in await asyncio.gather(*map(resolver.look_up, dids)):
        assert isinstance(outcome, Deferred), outcome
    for number, did in enumerate(dids):
        internet.web.handlers[f"n{number}.example"] = says(did)
    for number, did in enumerate(dids):
        outcome = await resolver.look_up(did)
        while isinstance(outcome, Deferred):
            await asyncio.sleep(0.05)
            outcome = await resolver.look_up(did)
        assert isinstance(outcome, Found)
        assert outcome.handle == f"n{number}.example"


async def test_cancelling_is_safe_at_any_moment(internet: Internet) -> None:
    internet.documents[ALICE] = document()
    internet.host("alice.example", says(ALICE))
    resolver = await internet.resolver(roomy(concurrency=1, per_host=1, directory_concurrency=1))
    for turns in range(0, 120, 3):
        task = asyncio.create_task(resolver.look_up(ALICE))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    outcome = await resolver.look_up(ALICE)
    assert isinstance(outcome, Found)
    assert outcome.handle == "alice.example"


async def test_it_closes_while_look_ups_are_cancelled(internet: Internet) -> None:
    internet.names.is_down = True
    internet.documents[ALICE] = document()
    async with Resolver(
        plc_url=f"http://127.0.0.1:{internet.directory.port}",
        limits=SHORT,
        nameservers=[internet.names.place],
        open_socket=internet.switchboard.open_socket,
    ) as resolver:
        before = asyncio.all_tasks()
        tasks = [asyncio.create_task(resolver.look_up(ALICE)) for _ in range(5)]
        await asyncio.sleep(SHORT.timeout_s + 0.2)  # the control question is under way
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    left = {task for task in asyncio.all_tasks() - before if "indexer" in repr(task.get_coro())}
    assert not left


async def test_a_full_cache_changes_no_outcome(internet: Internet, redis_url: str) -> None:
    internet.documents[ALICE] = document()
    internet.proof("alice.example")
    async with Redis.from_url(redis_url) as redis:
        cache = DidCache(redis)
        resolver = await internet.resolver(cache=cache)
        await redis.config_set("maxmemory", 1)
        try:
            outcome = await resolver.look_up(ALICE)
        finally:
            await redis.config_set("maxmemory", 0)
        assert isinstance(outcome, Found)
        assert outcome.handle == "alice.example"
        assert cache.refused == 1
        await resolver.look_up(ALICE)
        assert await redis.keys() == [f"identity:{ALICE}".encode()]
