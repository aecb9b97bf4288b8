"""`indexer demo --migration`: the move from TypeScript indexers to ours, rehearsed on private servers, and its proof.

The TypeScript indexers are stand-ins (`stand_in.py`); everything else is real: our daemon, the commands of the guide
(docs/migrating.md), `kill -9`.
"""

import asyncio
import os
import time
from contextlib import ExitStack

from redis import Redis

from indexer.demo.migration import story
from indexer.demo.migration.fleet import Fleet
from indexer.demo.migration.messages import BACKFILL, LABELS, LIVE, Feed, put
from indexer.demo.migration.play import Play
from indexer.demo.migration.proof import Proof, prove
from indexer.demo.servers import Servers, database, servers
from indexer.errors import ExitCode, IndexerError
from indexer.schema import create
from indexer.terminal import Terminal

MESSAGES = 2_000
SCHEMA = "public"
SETTINGS = {
    "DB_POOL_MAX_SIZE": "4",
    "DB_POOL_MIN_IDLE": "1",
    "ENABLE_DID_RESOLUTION": "false",
    "INDEXER_NOTIFICATIONS": "updates",
    "METRICS_PORT": "0",
    "INDEXER_BATCH_SIZE": "100",
}
"""What all processes of the rehearsal have in common, beside the servers."""
ALONE = {LIVE: "undisturbed_live", BACKFILL: "undisturbed_backfill", LABELS: "undisturbed_label"}


def rehearse(terminal: Terminal, messages: int) -> int:
    """Play the move with about so many messages; the exit code. IndexerError where something is missing or fails."""
    began = time.monotonic()
    with ExitStack() as stack:
        terminal.doing("starting the servers")
        place = stack.enter_context(servers(os.environ))
        terminal.say(f"servers: ready after {time.monotonic() - began:.1f} s")
        redis = stack.enter_context(Redis.from_url(place.redis_url))
        feed = Feed(redis)
        environment = {**SETTINGS, "REDIS_HOST": place.redis_url, "DB_POSTGRES_URL": place.postgres_url}
        with Fleet(environment, redis) as fleet:
            play = Play(terminal, fleet, feed, messages)
            for act in (play.before, play.beside, play.by_twos, play.back, play.again, play.alone):
                act()
            left = fleet.length(), fleet.holders()
            proof = _proof(terminal, fleet, redis, place, feed)
    story.write(terminal, len(feed.given), play.killed, play.in_hand, left, proof)
    terminal.say(f"\n{time.monotonic() - began:.0f} s in all; the servers are stopped, nothing is left of them")
    return ExitCode.DONE if story.is_as_it_should_be(left, proof) else ExitCode.FINDINGS


def _proof(terminal: Terminal, fleet: Fleet, redis: Redis, place: Servers, feed: Feed) -> Proof:
    """Let one indexer make rows of the same messages, and compare."""
    terminal.doing("one indexer that nobody disturbs indexes the same messages")
    with database(place.postgres_url, f"indexer_demo_{os.getpid()}_undisturbed") as undisturbed:
        asyncio.run(create.create(undisturbed, SCHEMA))
        index_alone(fleet, redis, feed, undisturbed)
        terminal.doing("comparing the tables")
        return asyncio.run(prove(place.postgres_url, undisturbed))


def index_alone(fleet: Fleet, redis: Redis, feed: Feed, url: str) -> None:
    """Index the messages of `feed` in their order into another database, from streams of their own."""
    put(redis, [(ALONE[stream], payload) for stream, payload in feed.given])
    done = fleet.command(
        "run",
        "--drain",
        DB_POSTGRES_URL=url,
        INDEXER_CONSUMER="undisturbed",
        INDEXER_STREAMS=f"{ALONE[LIVE]},{ALONE[BACKFILL]}",
        INDEXER_LABEL_STREAM=ALONE[LABELS],
        INDEXER_NOTIFICATIONS=SETTINGS["INDEXER_NOTIFICATIONS"],
    )
    if done.status:
        raise IndexerError(
            f"the undisturbed indexer ended with {done.status}", " / ".join(done.lines[-5:]), "report it"
        )
