"""`dlq retry`: the messages of letters to the ends of their streams, then the letters away.

First XADD, and only what Redis confirmed is removed: whatever ends the command in between leaves letters whose messages
are in their streams too, and a message that comes twice changes nothing. For the same reason letters are not locked
meanwhile: two commands at once add a message twice at worst, while a lock would hold a transaction, behind a pooler a
server connection, for as long as Redis takes to answer.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError, ResponseError

from indexer.commands.dlq.letters import Letters, Selection
from indexer.configuration import values
from indexer.errors import ConfigError, IndexerError, StoppedEarlyError
from indexer.wording import quantity

Field = Callable[[bytes], bytes]
"""The field of a stream's entries that a message belongs in."""


@dataclass(slots=True)
class Retried:
    """What was done: messages added, by stream, and letters removed."""

    added: Counter[str]
    removed: int = 0


def fields(streams: Sequence[str], label_stream: str) -> dict[str, Field]:
    """How entries of each stream that is read look (streams.md 1, 4)."""
    return {**dict.fromkeys(streams, lambda _: b"event"), label_stream: _label_field}


def _label_field(payload: bytes) -> bytes:
    """The Rust producer's frames have a field of their own; foreign readers look into theirs only."""
    try:
        message = json.loads(payload)
    except (ValueError, RecursionError):
        return b"event"
    return b"labels" if isinstance(message, dict) and "labels" in message and "type" not in message else b"event"


async def retry(letters: Letters, redis: "Redis", selection: Selection, fields: dict[str, Field]) -> Retried:
    """Add the messages again and remove the letters, in portions.

    ConfigError, before anything is added, where a letter's stream is not one that is read. StoppedEarlyError where
    Redis is full or goes away: the letters of all that it did not confirm stay.
    """
    for stream in await letters.streams(selection):
        _field(stream, fields)
    done = Retried(Counter())
    async with aclosing(letters.portions(selection)) as portions:
        async for portion in portions:
            added, fault = await _add(redis, portion, fields)
            done.removed += await letters.delete([letter["id"] for letter in added])
            done.added.update(letter["stream"] for letter in added)
            if fault is not None:
                raise _stopped(fault, done)
    return done


def _field(stream: str, fields: dict[str, Field]) -> Field:
    if stream in fields:
        return fields[stream]
    raise ConfigError(
        f"there are dead letters of the stream {stream}, which is not one that is read",
        f"INDEXER_STREAMS and INDEXER_LABEL_STREAM name {', '.join(fields)}",
        "add it to them, or choose others with --stream",
    )


async def _add(
    redis: "Redis", portion: Sequence[asyncpg.Record], fields: dict[str, Field]
) -> tuple[list[asyncpg.Record], Exception | None]:
    """The letters whose messages Redis has taken, and the first fault. No MULTI: a full Redis refuses it as a whole."""
    async with redis.pipeline(transaction=False) as pipeline:
        for letter in portion:
            field = _field(letter["stream"], fields)(letter["payload"])
            pipeline.xadd(letter["stream"], {field: letter["payload"]})
        try:
            replies = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            return [], error
    added = [letter for letter, reply in zip(portion, replies, strict=True) if isinstance(reply, bytes)]
    return added, next((reply for reply in replies if isinstance(reply, Exception)), None)


def _stopped(error: Exception, done: Retried) -> IndexerError:
    what = f"added {quantity(done.added.total(), 'message')} again, then Redis failed; the other dead letters are kept"
    cause = values.mask(str(error) or type(error).__name__)
    if isinstance(error, OutOfMemoryError):
        return StoppedEarlyError(what, cause, "run it again when the lanes have made room, or give Redis more memory")
    if isinstance(error, ResponseError):
        return ConfigError(what, cause, "let this user add to the streams (XADD), and see that they are streams")
    return StoppedEarlyError(what, cause, "run it again when Redis answers: what was added twice changes nothing")
