"""Likes of one post that has a million likes, beside likes of as many posts: counting must not grow with the count."""

import asyncpg
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import workload
from benches.drain import Round, in_turns
from benches.durable import Servers
from benches.report import Report
from indexer.demo import identifiers

ROUNDS = 3
LIKES = 20_000
KNOWN = 1_000_000
POST = f"at://{identifiers.did(98, 0)}/app.bsky.feed.post/3mptd7tbr2222"
SECTION = f"{LIKES:,} likes of one post that has {KNOWN:,}, beside {LIKES:,} likes of as many posts, turn by turn"


async def liked(url: str) -> None:
    """A million likes of the one post, and their count."""
    connection = await asyncpg.connect(url, command_timeout=600)
    try:
        await connection.execute(
            f"""
            INSERT INTO "like" (uri, cid, creator, subject, "subjectCid", "createdAt", "indexedAt")
            SELECT 'at://did:plc:' || md5(n::text) || '/app.bsky.feed.like/' || n, 'cid' || n,
                'did:plc:' || md5(n::text), '{POST}', 'cid', '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00.000Z'
            FROM generate_series(1, {KNOWN}) n
            """
        )
        await connection.execute(f"INSERT INTO post_agg (uri, \"likeCount\") VALUES ('{POST}', {KNOWN})")
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


@pytest.mark.timeout(1800)
def test_hot_post(benchmark: BenchmarkFixture, servers: Servers, report: Report) -> None:
    streams = {
        "of one post": list(workload.likes(LIKES, lambda _: POST)),
        "of as many posts": list(workload.likes(LIKES, lambda at: POST[:-8] + identifiers.tid(at + 1)[-8:])),
    }
    template = servers.new_template(liked)
    kinds = {
        name: lambda _, messages=messages: Round(servers, messages=messages, template=template)
        for name, messages in streams.items()
    }
    seconds = in_turns(benchmark, ROUNDS, kinds)
    for which, found in seconds.items():
        report.add(SECTION, f"likes a second, {which}", [LIKES / each for each in found])
    ratios = [spread / hot for hot, spread in zip(*seconds.values(), strict=True)]
    report.add(SECTION, "of one post, of the rate of spread ones", ratios, bar="hot")
