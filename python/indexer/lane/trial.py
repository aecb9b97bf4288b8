"""Messages that may end the process that reads them: tried in a process that may end (P7 of the promises).

A fault of native code (a crash, memory that runs out, a loop without end) takes the process along before anything can
be noted, and the next one reads the same entry again. Redis counts deliveries: from the fourth on an entry is tried
elsewhere first. The count alone proves nothing, since every start raises it; what counts is how the trial ends.
"""

import asyncio
import contextlib
import signal
import struct
import sys
import time
from collections.abc import Sequence

import structlog

from indexer import _native
from indexer._native import Event
from indexer.errors import IndexerError
from indexer.fold.apply import fold
from indexer.fold.world import World
from indexer.lane.source import Message
from indexer.pulse import waiting

log = structlog.get_logger()

DELIVERIES = 4
"""Three processes may have ended by it: one read it first, two read it again."""
COMMAND = (sys.executable, "-m", "indexer.lane.trial")
READY_S = 60.0
"""For the process to start."""
LONGEST_S = 20.0
"""For one message, which takes microseconds."""
TIMES = 2
"""A process that somebody else ended says nothing of its message: it is tried again."""
_LENGTH = struct.Struct(">I")
_DONE = b"."


async def find_deadly(messages: Sequence[Message]) -> dict[bytes, str]:
    """Which of the messages end a process, by id, and how.

    Where no such process can be started there is no trial, and nobody is guilty.
    """
    deadly: dict[bytes, str] = {}
    left = [(message.id, message.payload) for message in messages if message.payload is not None]
    deaths = 0
    while left:
        try:
            with waiting():
                survived, death = await _tried([payload for _, payload in left])
        except (IndexerError, OSError, TimeoutError) as error:
            log.warning("trial_failed", messages=len(left), error=error)
            break
        deaths = 1 if survived else deaths + 1
        left = left[survived:]
        if death is None:
            break
        if deaths == TIMES:
            deadly[left.pop(0)[0]] = death
            deaths = 0
    return deadly


async def _tried(payloads: Sequence[bytes]) -> tuple[int, str | None]:
    """How many payloads a process got through, and how it ended at the next one; None where it got through all."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C in a terminal is for its parent
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        if await asyncio.wait_for(process.stdout.read(1), READY_S) != _DONE:
            raise IndexerError("the trial of messages did not start", "python -m indexer.lane.trial ends", "report it")
        for number, payload in enumerate(payloads):
            try:
                process.stdin.write(_LENGTH.pack(len(payload)) + payload)
                await process.stdin.drain()
                alive = await asyncio.wait_for(process.stdout.read(1), LONGEST_S) == _DONE
            except TimeoutError:
                return number, f"it came to no end within {LONGEST_S:.0f} s"
            except ConnectionError:
                alive = False
            if not alive:
                return number, _ended(await process.wait())
        return len(payloads), None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _ended(status: int) -> str:
    return f"it ended a process with {signal.Signals(-status).name if status < 0 else f'exit code {status}'}"


def main() -> None:
    """Decode and fold what comes in, as frames of a length of 4 bytes (big-endian) and a payload; `.` after each.

    What raises is left to the lane, which deals with it.
    """
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends with its parent
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    sink.write(_DONE)
    sink.flush()
    while length := source.read(_LENGTH.size):
        payload = source.read(_LENGTH.unpack(length)[0])
        with contextlib.suppress(Exception):
            _native.decode_labels([payload])
        with contextlib.suppress(Exception):
            (event,) = _native.decode_events([payload], [time.time_ns() // 1_000_000])
            if isinstance(event, Event):
                fold([event], World(event.time), "all", backfill=False)
        sink.write(_DONE)
        sink.flush()


if __name__ == "__main__":
    main()
