"""The command `trace`, from settings to lines."""

import sys
from collections.abc import Mapping
from io import TextIOWrapper
from typing import Any

import orjson
from redis.exceptions import RedisError

from indexer.commands.handover.holdings import Group
from indexer.commands.trace.facts import Fact, Target, verdict
from indexer.commands.trace.streams import Looked, facts_of, look, speed
from indexer.commands.trace.tables import Tables
from indexer.configuration import secrets
from indexer.connections.database import POSTGRES_FAULTS
from indexer.connections.redis_connection import open_redis
from indexer.errors import ExitCode, UnavailableError
from indexer.schema.connection import connected, needing_to_read
from indexer.terminal import readable


async def trace(settings: Mapping[str, Any], text: str, scan: int, interval_s: float, *, as_json: bool) -> int:
    """Tell what is known; FINDINGS where nothing is."""
    target = Target.of(text)
    facts, looked, notes = await _facts(settings, target, scan, interval_s)
    told = verdict(target, facts)
    if as_json:
        sys.stdout.write(_document(target, facts, looked, notes, told) + "\n")
    else:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")
        lines = [f"{target.uri}: {readable(told)}", ""]
        lines += [f"  {fact.time or '(time unknown)':<24}  {fact.state:<12}  {readable(fact.text)}" for fact in facts]
        for fact in facts:
            lines += [f"  {' ' * 24}  {name}: {value}" for name, value in _shown(fact)]
        lines += ["", *(one.line() for one in looked), *notes]
        sys.stdout.write("\n".join(lines) + "\n")
    return ExitCode.DONE if facts else ExitCode.FINDINGS


async def _facts(
    settings: Mapping[str, Any], target: Target, scan: int, interval_s: float
) -> tuple[list[Fact], list[Looked], list[str]]:
    redis = await open_redis(settings["redis_url"])
    try:
        async with connected(settings["postgres_url"], "trace") as connection:
            # the streams before the tables: what is settled in between shows in the tables
            groups = [Group(stream, settings["group"]) for stream in settings["streams"]]
            looked = [await look(redis, group, target, scan) for group in groups]
            matching = [one.group for one in looked if one.matches]
            moving = await speed(redis, matching, interval_s) if matching else {}
            database = Tables(connection, settings["postgres_schema"], target)
            with needing_to_read("trace"):
                facts = await database.read()
                for one in looked:
                    if one.matches:
                        facts += await facts_of(redis, one, *moving[one.group], database)
    except RedisError as fault:
        raise UnavailableError(
            "Redis refused or broke off a read",
            secrets.quoted(fault, settings["redis_url"]),
            "see `indexer doctor`, and try again",
        ) from None
    except POSTGRES_FAULTS as fault:
        raise UnavailableError(
            "PostgreSQL refused or broke off a read",
            f"{type(fault).__name__}: {secrets.quoted(fault, settings['postgres_url'])}",
            "see `indexer schema check`, and try again",
        ) from None
    finally:
        await redis.aclose()
    if not target.is_valid:
        database.notes.append(f"{readable(target.uri)} is not valid: messages that name it are dead letters")
    facts.sort(key=lambda fact: (fact.at_ms is None, fact.at_ms or 0))
    return facts, looked, database.notes


def _shown(fact: Fact) -> list[tuple[str, str]]:
    """Details that a person wants to read."""
    shown = [("aggregates", ", ".join(f"{name} {n}" for name, n in fact.details.get("aggregates", {}).items()))]
    shown.append(("records", ", ".join(f"{name} {n:,}" for name, n in fact.details.get("records", {}).items())))
    others = fact.details.get("duplicates", [])
    shown.append(("its duplicates", ", ".join(others[:5]) + (" …" if len(others) > 5 else "")))
    return [(name, value) for name, value in shown if value]


def _document(target: Target, facts: list[Fact], looked: list[Looked], notes: list[str], told: str) -> str:
    return orjson.dumps(
        {
            "uri": target.uri,
            "found": bool(facts),
            "verdict": told,
            "facts": [
                {"state": fact.state, "at": fact.time, "text": fact.text, **{"details": fact.details}} for fact in facts
            ],
            "looked_at": [
                {"stream": one.group.stream, "entries": one.entries, "length": one.length, "whole": one.whole}
                for one in looked
            ],
            "notes": notes,
        },
        option=orjson.OPT_INDENT_2,
    ).decode()
