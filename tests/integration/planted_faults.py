"""Faults that are planted in a deployment, with what the doctor must say of each."""

import time
from typing import Any

from tests.identity.network import NameServer
from tests.integration.planting import BACKFILL, GROUP, LABELS, LIVE, Deployment, Plant


async def no_consumer(d: Deployment) -> None:
    del d.environ["INDEXER_CONSUMER"]


async def misspelt_variable(d: Deployment) -> None:
    d.environ["INDEXER_BATCHSIZE"] = "9"


async def names_that_differ(d: Deployment) -> None:
    d.environ |= {"REDIS_HOST": d.environ["REDIS_URL"], "REDIS_URL": "redis://other"}


async def private_addresses(d: Deployment) -> None:
    d.environ["INDEXER_ALLOW_PRIVATE_ADDRESSES"] = "true"


async def no_redis(d: Deployment) -> None:
    d.environ["REDIS_URL"] = "redis://:hunter2@127.0.0.1:1"


async def wrong_password_of_redis(d: Deployment) -> None:
    d.environ["REDIS_URL"] = d.server.url.replace("unix://", "unix://indexer:wrong@", 1)


async def evicting(d: Deployment) -> None:
    d.client.config_set("maxmemory-policy", "allkeys-lru")


async def full_redis(d: Deployment) -> None:
    d.client.config_set("maxmemory", "1mb")


async def nothing_saved(d: Deployment) -> None:
    d.client.config_set("appendonly", "no")
    d.client.config_set("save", "")


async def replica(d: Deployment) -> None:
    d.client.slaveof("127.0.0.1", 1)


async def few_rights(d: Deployment) -> None:
    commands = ["-xclaim", "-xdel"]
    d.client.acl_setuser("some", True, passwords="+pw", keys=["*"], categories=["+@all"], commands=commands)
    d.environ["REDIS_URL"] = d.server.url.replace("unix://", "unix://some:pw@", 1)


async def few_keys(d: Deployment) -> None:
    d.client.acl_setuser("other", True, passwords="+pw", keys=["firehose_*"], categories=["+@all"])
    d.environ["REDIS_URL"] = d.server.url.replace("unix://", "unix://other:pw@", 1)


async def no_stream(d: Deployment) -> None:
    d.client.set("somewhere", "text")
    d.environ["INDEXER_STREAMS"] = "somewhere"


async def two_groups(d: Deployment) -> None:
    d.client.xgroup_create(LABELS, GROUP, "$")


async def other_group(d: Deployment) -> None:
    d.environ["INDEXER_LABEL_GROUP"] = "mine"


async def name_of_another_machine(d: Deployment) -> None:
    await d.lease("one")


async def name_of_a_typescript_consumer(d: Deployment) -> None:
    await d.execute("DELETE FROM indexer.lease")
    await d.living("one")
    d.environ["INDEXER_AGGREGATES"] = "recount"


async def delta_beside_others(d: Deployment) -> None:
    await d.living("typescript-1")


async def dead_consumer(d: Deployment) -> None:
    d.environ["INDEXER_CLAIM_IDLE_MS"] = "50"
    d.read("dead", 3, BACKFILL)
    await d.execute("DELETE FROM indexer.lease")
    time.sleep(0.1)  # noqa: ASYNC251  that is its silence


async def vanished(d: Deployment) -> None:
    d.client.xdel(LIVE, *[entry["message_id"] for entry in pending(d, LIVE)][:2])


async def orphans(d: Deployment) -> None:
    d.client.xack(LIVE, GROUP, pending(d, LIVE)[0]["message_id"])


async def delivered_often(d: Deployment) -> None:
    id_ = pending(d, LIVE)[0]["message_id"]
    d.client.xclaim(LIVE, GROUP, "one", 0, [id_], retrycount=12)


async def no_postgres(d: Deployment) -> None:
    d.environ["DATABASE_URL"] = "postgresql://bsky:hunter2@127.0.0.1:1/bsky"


async def no_such_database(d: Deployment) -> None:
    d.environ["DATABASE_URL"] = d.database.replace("indexer_test", "no_such", 1)


async def no_writes(d: Deployment) -> None:
    name = d.database.partition("?")[0].rpartition("/")[2]
    await d.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')


async def no_schema_of_ours(d: Deployment) -> None:
    await d.execute("DROP SCHEMA indexer CASCADE")


async def names_without_quotes(d: Deployment) -> None:
    await d.execute('ALTER TABLE "like" RENAME "subjectCid" TO subject_cid')


async def timestamps(d: Deployment) -> None:
    await d.execute('ALTER TABLE actor_sync ALTER "repoRev" TYPE timestamptz USING now()')


async def missing_index(d: Deployment) -> None:
    await d.execute("DROP INDEX quote_subject_cursor_idx")


async def sequence_near_its_end(d: Deployment) -> None:
    await d.execute("ALTER SEQUENCE notification_id_seq MAXVALUE 1000", "SELECT setval('notification_id_seq', 900)")


async def too_many_connections(d: Deployment) -> None:
    d.environ["DB_POOL_MAX_SIZE"] = "100"
    for name in ("two", "three"):
        await d.lease(name)


async def role_with_a_limit(d: Deployment) -> None:
    await d.execute("CREATE ROLE narrow LOGIN SUPERUSER CONNECTION LIMIT 7")
    d.environ["DATABASE_URL"] = d.database.replace("postgres@", "narrow@", 1)


async def clock_that_is_behind(d: Deployment) -> None:
    d.subject["clock"] = lambda: time.time() - 90


async def no_directory(d: Deployment) -> None:
    d.environ |= {"ENABLE_DID_RESOLUTION": "true", "PLC_URL": "http://127.0.0.1:1"}
    d.subject["nameservers"] = [(await d.stack.enter_async_context(NameServer().running())).place]


def pending(d: Deployment, stream: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = d.client.xpending_range(stream, GROUP, "-", "+", 100)
    return found


PLANTED: list[tuple[Plant, str, str]] = [
    (no_consumer, "configuration.refused", "set INDEXER_CONSUMER"),
    (misspelt_variable, "configuration.doubtful", "config show"),
    (names_that_differ, "configuration.doubtful", "config show"),
    (private_addresses, "configuration.private_addresses", "unset it"),
    (no_redis, "redis.unreachable", "correct REDIS_HOST"),
    (wrong_password_of_redis, "redis.password", "user and password in REDIS_HOST"),
    (evicting, "redis.policy", "maxmemory-policy noeviction"),
    (full_redis, "redis.full", "raise maxmemory"),
    (nothing_saved, "redis.not_persistent", "appendonly yes"),
    (replica, "redis.replica", "the primary"),
    (few_rights, "redis.rights", "deploy/redis.acl"),
    (few_keys, "redis.rights", "deploy/redis.acl"),
    (no_stream, "streams.not_a_stream", "INDEXER_STREAMS"),
    (two_groups, "streams.two_groups", "XGROUP DESTROY"),
    (other_group, "streams.other_group", "INDEXER_LABEL_GROUP"),
    (name_of_another_machine, "streams.name_in_use", "INDEXER_CONSUMER of its own"),
    (name_of_a_typescript_consumer, "streams.name_in_use", "INDEXER_CONSUMER of its own"),
    (delta_beside_others, "streams.delta_beside_others", "INDEXER_AGGREGATES=recount"),
    (dead_consumer, "streams.dead_consumer", "indexer takeover --consumer dead"),
    (vanished, "streams.vanished", "stop what trims"),
    (orphans, "streams.orphans", "XGROUP SETID firehose_live firehose_group 0"),
    (delivered_often, "streams.delivered_often", "indexer takeover"),
    (no_postgres, "postgres.unreachable", "correct DB_POSTGRES_URL"),
    (no_such_database, "postgres.refused", "correct DB_POSTGRES_URL"),
    (no_writes, "postgres.read_only", "take default_transaction_read_only back"),
    (no_schema_of_ours, "postgres.schema", "indexer schema create"),
    (names_without_quotes, "postgres.names", "DB_POSTGRES_SCHEMA"),
    (timestamps, "postgres.schema", "let the AppView's services migrate"),
    (missing_index, "postgres.index", "CREATE INDEX CONCURRENTLY"),
    (sequence_near_its_end, "postgres.sequence", "ALTER SEQUENCE public.notification_id_seq"),
    (too_many_connections, "postgres.connections", "DB_POOL_MAX_SIZE to 6"),
    (role_with_a_limit, "postgres.connections", "DB_POOL_MAX_SIZE to 7 or less"),
    (clock_that_is_behind, "network.clock", "NTP"),
    (no_directory, "network.directory", "correct PLC_URL"),
]
CHANGING = (
    no_writes, no_schema_of_ours, names_without_quotes, timestamps, missing_index, sequence_near_its_end,
)  # fmt: skip
"""They change the database for good."""
ALSO: dict[Plant, set[str]] = {names_without_quotes: {"postgres.schema"}}
"""What else such a fault brings along."""
UNSEEN: dict[Plant, int] = {no_schema_of_ours: 2, no_postgres: 1, no_such_database: 1, few_keys: 4}
"""What cannot be looked at then."""
