"""Redis itself: version, memory, persistence, role, and what the user may do."""

from collections.abc import AsyncIterator
from typing import Any

from redis.exceptions import NoPermissionError, OutOfMemoryError, ResponseError

from indexer.commands.doctor.finding import Fact, Finding, Unseen, Yielded
from indexer.commands.doctor.subject import Subject
from indexer.commands.status.texts import size

AREA = "redis"
LEAST = (7, 0)
FULL_PERCENT = 90
INFO_RIGHT = "let a user look that may: `indexer-operator` of deploy/redis.acl"
NOTHING = "indexer-doctor-looks"
"""Name of a group and consumer that nobody has."""


async def version(subject: Subject) -> AsyncIterator[Yielded]:
    """The server, and whether it takes writes."""
    info = await _info(subject, "server")
    if info is None:
        yield Unseen(AREA, "version, memory and persistence", f"this user may not INFO: {INFO_RIGHT}")
        return
    number = str(info.get("redis_version", ""))
    name = f"Valkey {info['valkey_version']} (as Redis {number})" if "valkey_version" in info else f"Redis {number}"
    parts = tuple(int(part) for part in number.split(".")[:2] if part.isdecimal())
    if parts and parts < LEAST:
        yield Finding(
            f"{AREA}.version",
            f"{name} is older than 7.0",
            "it has no lag of groups, and a claim may hand out entries whose body is gone",
            "upgrade to Redis 7.0 or newer, or Valkey",
        )
    replication = await _info(subject, "replication") or {}
    if replication.get("role") == "slave":
        yield Finding(
            f"{AREA}.replica",
            "this Redis is a replica",
            "it refuses to read for a group, acknowledge and delete: every lane waits",
            "set REDIS_HOST to the primary, or promote this one (REPLICAOF NO ONE)",
        )
    yield Fact(AREA, f"{name}, {replication.get('role', 'role not known')}")


async def memory(subject: Subject) -> AsyncIterator[Yielded]:
    """How full it is, and what it does when it is."""
    info = await _info(subject, "memory")
    if info is None:
        return
    used, most = int(info["used_memory"]), int(info.get("maxmemory", 0))
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        yield Finding(
            f"{AREA}.policy",
            f"maxmemory-policy is {policy}",
            "a full Redis drops keys to make room, and a stream is one key: all its messages at once",
            "CONFIG SET maxmemory-policy noeviction, and in redis.conf",
        )
    if most and used * 100 >= most * FULL_PERCENT:
        yield Finding(
            f"{AREA}.full",
            f"{size(used)} of {size(most)} are used",
            "a full Redis refuses what producers add; reading and acknowledging go on, and make room",
            "raise maxmemory, or run more instances until the streams are shorter (`indexer status`); trim nothing",
        )
    yield Fact(AREA, f"{size(used)} of {size(most) if most else 'memory without a limit'}, policy {policy}")


async def persistence(subject: Subject) -> AsyncIterator[Yielded]:
    """Whether the streams survive a restart of the server."""
    info = await _info(subject, "persistence")
    if info is None:
        return
    is_logged = bool(int(info.get("aof_enabled", 0)))
    failing = [
        name
        for name in ("aof_last_write_status", "aof_last_bgrewrite_status", "rdb_last_bgsave_status")
        if info.get(name, "ok") != "ok"
    ]
    if failing:
        yield Finding(
            f"{AREA}.persistence_fails",
            f"Redis cannot save: {', '.join(failing)}",
            "by default it refuses writes then (MISCONF), and a restart would lose what came since the last time",
            "look at Redis' log: the disk is full, or its folder is not writable",
        )
    if is_logged:
        yield Fact(AREA, "the streams survive a restart (append-only file)")
        return
    try:
        found: Any = await _redis(subject).config_get("save")
    except ResponseError:
        yield Unseen(AREA, "whether it saves snapshots", "this user may not CONFIG GET save; ask the server's admin")
        return
    if found.get("save", ""):
        yield Fact(AREA, f"snapshots only (save {found['save']}): a crash loses the messages since the last one")
        return
    yield Finding(
        f"{AREA}.not_persistent",
        "nothing is saved: no append-only file, no snapshots",
        "a restart of Redis loses all streams, groups and what is pending",
        "CONFIG SET appendonly yes, and in redis.conf",
    )


async def rights(subject: Subject) -> AsyncIterator[Yielded]:
    """Each command that `run` sends, in a form that changes nothing."""
    forbidden: set[str] = set()
    unknown: set[str] = set()
    for group in subject.groups:
        for words in _harmless(group.stream, group.name, looks_up=bool(subject.settings.get("did_resolution"))):
            try:
                await _redis(subject).execute_command(*words)
            except NoPermissionError as fault:
                forbidden.add(words[0] if "command" in str(fault) else f"{words[0]} on the key {words[1]}")
            except OutOfMemoryError:
                continue
            except ResponseError as fault:
                if str(fault).lower().startswith("unknown command"):
                    unknown.add(words[0])
    if forbidden:
        yield Finding(
            f"{AREA}.rights",
            f"the Redis user may not {', '.join(sorted(forbidden))}",
            "a lane halts at the first command that is refused",
            "give the user the rights of `indexer` in deploy/redis.acl",
        )
    if unknown:
        yield Finding(
            f"{AREA}.commands",
            f"this server does not know {', '.join(sorted(unknown))}",
            "the command is too new for it, renamed or disabled; lanes cannot work without",
            "use Redis 7.0 or newer, or Valkey; remove rename-command from redis.conf",
        )


def _harmless(stream: str, group: str, *, looks_up: bool) -> list[tuple[Any, ...]]:
    """Commands that name a group, an entry or an option that is not there."""
    found: list[tuple[Any, ...]] = [
        ("EXISTS", stream),
        ("XLEN", stream),
        ("XREADGROUP", "GROUP", NOTHING, NOTHING, "COUNT", 1, "STREAMS", stream, "0"),
        ("XACK", stream, NOTHING, "0-1"),
        ("XDEL", stream, "0-0"),
        ("XPENDING", stream, group),
        ("XRANGE", stream, "-", "-"),
        ("XCLAIM", stream, NOTHING, NOTHING, 0, "0-1"),
        ("XINFO GROUPS", stream),
        ("XINFO CONSUMERS", stream, group),
        ("XGROUP CREATE", stream, NOTHING, "no-id"),
    ]
    if looks_up:
        found += [("SET", "identity:", "", "NX", "XX"), ("DEL", f"identity:{NOTHING}")]
    return found


async def _info(subject: Subject, section: str) -> dict[str, Any] | None:
    """None where it may not be seen."""
    try:
        return dict(await _redis(subject).info(section))
    except NoPermissionError:
        return None


def _redis(subject: Subject) -> Any:
    return subject.redis
