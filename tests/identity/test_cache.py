"""streams.md 9: the cache entry is the reference's, byte for byte; a refused write is a value."""

import json
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from indexer.identity import DidCache
from indexer.identity.cache import entry
from tests.identity.conftest import ALICE, document

KEY = f"identity:{ALICE}"


async def test_rule_key_value_and_expiry(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        cache = DidCache(redis)
        assert await cache.write(ALICE, document(), 1_700_000_000_123) == "written"
        assert await redis.keys() == [KEY.encode()]
        value = await redis.get(KEY)
        assert isinstance(value, bytes)
        assert json.loads(value) == {"doc": document(), "updatedAt": 1_700_000_000_123}
        assert value == json.dumps({"doc": document(), "updatedAt": 1_700_000_000_123}, separators=(",", ":")).encode()
        assert 604_800_000 - 60_000 < await redis.pttl(KEY) <= 604_800_000
        assert cache.refused == 0


async def test_rule_an_entry_is_overwritten(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        await redis.set(KEY, "not json")
        cache = DidCache(redis)
        await cache.write(ALICE, document(), 1)
        await cache.write(ALICE, document(handle="new.example"), 2)
        assert await redis.get(KEY) == entry(document(handle="new.example"), 2)


async def test_rule_not_found_deletes_the_entry(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        cache = DidCache(redis)
        await cache.write(ALICE, document(), 1)
        assert await cache.delete(ALICE) == "written"
        assert await cache.delete(ALICE) == "written"
        assert await redis.keys() == []


async def test_a_write_that_a_full_redis_refuses_is_counted(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as redis:
        cache = DidCache(redis)
        await redis.config_set("maxmemory", 1)
        try:
            assert await cache.write(ALICE, document(), 1) == "refused"
            assert await cache.write(ALICE, document(), 1) == "refused"
            assert await cache.delete(ALICE) == "written", "a full Redis still deletes"
        finally:
            await redis.config_set("maxmemory", 0)
        assert cache.refused == 2
        assert await cache.write(ALICE, document(), 1) == "written"


async def test_a_redis_that_is_away_is_counted() -> None:
    async with Redis(host="127.0.0.1", port=1, retry=Retry(NoBackoff(), 0)) as redis:
        cache = DidCache(redis)
        with pytest.raises(RedisConnectionError):
            await redis.ping()
        assert await cache.write(ALICE, document(), 1) == "refused"
        assert await cache.delete(ALICE) == "refused"
        assert cache.refused == 2


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": "é\u2028\x7f😀"}, '{"a":"é\u2028\x7f😀"}'.encode()),
        ({"a": '"\\/\n\t\x00\x1f'}, rb'{"a":"\"\\/\n\t\u0000\u001f"}'),
        ({"a": "x\ud800y"}, rb'{"a":"x\ud800y"}'),
        ({"b": [1, 1.5, True, None, {}], "a": 1e21}, b'{"b":[1,1.5,true,null,{}],"a":1e+21}'),
    ],
)
def test_an_entry_is_what_javascript_writes(value: dict[str, Any], text: bytes) -> None:
    assert entry(value, 5) == b'{"doc":' + text + b',"updatedAt":5}'
