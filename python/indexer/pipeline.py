"""The straight line of a message: source → _native → fold → records → sink, and back to the source to settle.

Read this first. A lane is the reader of one stream; a batch is consecutive messages of one lane and one transaction.
"""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import structlog
from redis.exceptions import RedisError, ResponseError

from indexer import _native
from indexer._native import Event, Ignored, Reject
from indexer.lane_metrics import LaneMetrics, Tally
from indexer.refusals import Refusals
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.halving import Content, Entry, HaltedError, HalvingSink, Outcome
from indexer.sink.labels import Label
from indexer.source import BLOCK_MS, Message, Source
from indexer.supervision import relying, waiting, with_pulse
from indexer.trial import DELIVERIES, find_deadly

log = structlog.get_logger()

Answer = TypeVar("Answer")

REDIS_AWAY = (RedisError, OSError, TimeoutError)
PASSING = (
    "LOADING", "READONLY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "OOM", "BUSY", "MISCONF", "NOREPLICAS",
)  # fmt: skip
"""Refusals that end by themselves."""
LOST = ("NOGROUP", "UNBLOCKED")
"""The group is gone, or its stream. A waiting read of Redis before 7.2 is told the second, and one of a server that
becomes a replica.
"""
READ_AHEAD = 2
"""Batches in memory: one that is written, one that is decoded meanwhile."""
LOOK_AGAIN_S = 30.0
"""Between two looks at the own pending entries: who had the name before may have read on for a moment."""
DRAIN_BLOCK_MS = 100
"""With `--drain`, a stream that is silent for so long has ended. After a look back: more may be claimed soon."""


@dataclass(slots=True)
class Decoded(Generic[Content]):
    """A batch after decoding: each message is an entry, a dead letter or ignored."""

    entries: list[Entry[Content]]
    letters: list[DeadLetter]
    ids: list[bytes]
    tally: Tally
    seconds: float

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """More dead letters, of messages that were not decoded."""
        self.letters += letters
        self.ids += [letter.message_id.encode() for letter in letters]
        self.tally.dead.extend(letter.reason for letter in letters)


Decode = Callable[[Sequence[Message], str, int], Decoded[Content]]
"""Decodes messages of a stream; "now" is in milliseconds since the epoch."""


def decode(messages: Sequence[Message], stream: str, clock_ms: int) -> Decoded[Event]:
    """Decode a batch of events in one crossing; a message without a body is ignored, with one that says nothing."""
    clocks_ms = [max(clock_ms, message.ms) for message in messages if message.payload is not None]
    return _sorted(messages, stream, lambda payloads: _native.decode_events(payloads, clocks_ms))


def decode_labels(messages: Sequence[Message], stream: str, _clock_ms: int) -> Decoded[list[Label]]:
    """As `decode`, for labels, which no clock judges."""
    return _sorted(messages, stream, _native.decode_labels)


def _sorted(
    messages: Sequence[Message], stream: str, parse: Callable[[list[bytes]], list[Content | Reject | Ignored]]
) -> Decoded[Content]:
    started = time.perf_counter()
    whole = [(message.id.decode(), message.payload) for message in messages if message.payload is not None]
    ignored = Counter("vanished" if message.vanished else "empty" for message in messages if message.payload is None)
    entries: list[Entry[Content]] = []
    letters: list[DeadLetter] = []
    cleaned = 0
    for (id_, payload), result in zip(whole, parse([payload for _, payload in whole]), strict=True):
        if isinstance(result, Reject):
            letters.append(DeadLetter(stream, id_, result.cause, "reject", None, result.detail, 1, payload))
        elif isinstance(result, Ignored):
            ignored[result.reason] += 1
        else:
            entries.append(Entry(id_, payload, result))
            cleaned += isinstance(result, Event) and result.cleaned
    tally = Tally([letter.reason for letter in letters], ignored, cleaned)
    ids = [message.id for message in messages]
    return Decoded(entries, letters, ids, tally, time.perf_counter() - started)


class Lane(Generic[Content]):
    """Reads one stream and writes its batches in stream order."""

    def __init__(
        self,
        source: Source,
        sink: HalvingSink[Content],
        metrics: LaneMetrics,
        decode: Decode[Content],
        dead_letter_limit: float | None = None,
    ) -> None:
        self.source = source
        self.sink = sink
        self.metrics = metrics
        self._decode = decode
        self._refusals = Refusals(source.stream, dead_letter_limit)
        self.halted: str | None = None
        """Why the lane stands still."""
        self.waiting = False
        """Whether Redis is away."""
        self.done = 0
        """Messages settled since the start."""
        self.progress = time.monotonic()
        """When the lane last settled a batch, or had nothing to do."""
        self.look_back = True
        """Whether entries may be pending that the reader has not seen: at first, after a break, after a claim."""
        self._ended = False
        self._room = asyncio.Semaphore(READ_AHEAD)
        self._in_hand: set[bytes] = set()
        """Ids that were read and are not settled yet."""
        self._settling: asyncio.Task[None] | None = None
        """The end of the batch before."""

    async def run(self, stop: asyncio.Event, *, drain: bool) -> None:
        """Process batches until `stop` is set; with `drain` until there is nothing more. Returns when halted, too."""
        batches: asyncio.Queue[Decoded[Content] | None] = asyncio.Queue()
        reader = self._beside("read", self._read(batches, stop, drain=drain))
        reader.add_done_callback(lambda _: batches.put_nowait(None))  # however it ends

        def end_if_failed(settling: "asyncio.Task[None]") -> None:
            if has_failed(settling):
                batches.put_nowait(None)

        try:
            while True:
                with relying():
                    batch = await batches.get()
                if batch is None:
                    break
                await self._batch(batch)
                # a stream that is silent after this batch must not hide that its end failed
                if self._settling is not None:
                    self._settling.add_done_callback(end_if_failed)
                self._room.release()
            await self._batch_before()
            await reader
        except HaltedError as fault:
            self.halted = str(fault)
            log.error("lane_halted", stream=self.source.stream, error=fault.__cause__ or fault)
        finally:
            self._ended = True  # beside the cancellation, which the client may lose while it retries
            tasks = [task for task in (reader, self._settling) if task is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(
        self, batches: "asyncio.Queue[Decoded[Content] | None]", stop: asyncio.Event, *, drain: bool
    ) -> None:
        """Fill the queue, one batch ahead of the writer."""
        if drain and not await self._patiently(self.source.exists):
            return  # nothing to drain, and a full Redis would refuse to make the group
        await self._patiently(self.source.ensure_group)
        async for messages in self._messages(stop, drain=drain):
            with relying():
                await self._room.acquire()
            self._in_hand.update(message.id for message in messages)
            harmless, deadly = await self._tried(messages)
            with waiting():
                clock_ms = time.time_ns() // 1_000_000
                decoded = await asyncio.to_thread(self._decode, harmless, self.source.stream, clock_ms)
            decoded.add(deadly)
            batches.put_nowait(decoded)

    async def _tried(self, messages: Sequence[Message]) -> tuple[Sequence[Message], list[DeadLetter]]:
        """Set those aside that end a process: what came often, because of it or not, is tried in another one."""
        suspects = [message for message in messages if message.deliveries >= DELIVERIES]
        if not suspects:
            return messages, []
        stream, deadly = self.source.stream, await find_deadly(suspects)
        for id_, how in deadly.items():
            log.error("message_ends_process", stream=stream, message_id=id_.decode(), how=how)
        return [message for message in messages if message.id not in deadly], [
            DeadLetter(
                stream,
                message.id.decode(),
                "crashed",
                "programming",
                None,
                deadly[message.id],
                1,
                message.payload or b"",
            )
            for message in suspects
            if message.id in deadly
        ]

    async def _messages(self, stop: asyncio.Event, *, drain: bool) -> AsyncIterator[list[Message]]:
        """First what this consumer already holds, then what is new.

        A reply that was lost on the way leaves entries delivered, but not received: after each break of the connection
        the pending entries are read again. So they are now and then: a process that was stopped until its name was
        ours leaves what it read before it noticed.
        """
        looked_at = 0.0
        while not (stop.is_set() or self._ended):
            started = time.perf_counter()
            block_ms = DRAIN_BLOCK_MS if drain else BLOCK_MS
            try:
                if self.look_back or time.monotonic() - looked_at > LOOK_AGAIN_S:
                    self.look_back = False  # before it is done: a claim in the meantime sets it again
                    block_ms = DRAIN_BLOCK_MS  # which is likely
                    known = self._in_hand.copy()  # some may be settled before the answer is here
                    async for page in self.source.own_pending():
                        if fresh := [message for message in page if message.id not in known]:
                            yield fresh
                        if stop.is_set():
                            return
                    looked_at = time.monotonic()
                messages = await self.source.new(block_ms)
            except REDIS_AWAY as error:
                self.look_back = True
                await self._recover(error)
                continue
            self.waiting = False
            if messages:
                self.metrics.stage("read", time.perf_counter() - started)
                yield messages
            elif not self._in_hand:
                self.progress = time.monotonic()
                if drain and not await self._patiently(self.source.pending):
                    return
                self.look_back |= drain

    async def _batch(self, batch: Decoded[Content]) -> None:
        """Commit, derive again, acknowledge: never the other way round. The next batch waits for the commit only."""
        outcome = await self.sink.write(batch.entries, batch.letters)
        await self._batch_before()
        self._refusals.count(len(batch.ids), batch.tally.dead + [letter.reason for letter in outcome.dead])
        self._settling = self._beside("settle", self._settle(batch, outcome))

    async def _batch_before(self) -> None:
        if self._settling is not None:
            with relying():
                await self._settling

    async def _settle(self, batch: Decoded[Content], outcome: Outcome) -> None:
        if outcome.rest is not None:
            with relying():
                await outcome.rest
        started = time.perf_counter()
        acknowledged = await self._patiently(lambda: self.source.settle(batch.ids))
        outcome.seconds["ack"] = time.perf_counter() - started
        outcome.seconds["decode"] = batch.seconds
        self._in_hand.difference_update(batch.ids)
        self.done += len(batch.ids)
        self.progress = time.monotonic()
        self.metrics.batch(batch.tally, outcome)
        if elsewhere := len(batch.ids) - acknowledged:
            log.debug("acknowledged_elsewhere", stream=self.source.stream, messages=elsewhere)
            self.metrics.acknowledged_elsewhere(elsewhere)

    def _beside(self, what: str, work: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        name = f"{what} {self.source.stream}"
        return asyncio.create_task(with_pulse(name, work), name=name)

    async def _patiently(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Call Redis until it answers."""
        while True:
            try:
                answer = await call()
                self.waiting = False
                return answer
            except REDIS_AWAY as error:
                await self._recover(error)

    async def _recover(self, error: Exception) -> None:
        """Wait for a Redis that is away, make a lost group again. `HaltedError` on what no waiting changes."""
        if isinstance(error, ResponseError):
            if (code := refusal(error)) in LOST:
                log.error("group_lost", stream=self.source.stream, group=self.source.group)
                self.metrics.group_lost()
                await self._patiently(self.source.ensure_group)
                return
            if code not in PASSING:
                raise HaltedError(f"Redis refuses: {error}") from error
        if not self.waiting:
            log.warning("redis_away", stream=self.source.stream, error=error)
        self.waiting = True
        await asyncio.sleep(random.uniform(0.2, 1))


def has_failed(task: "asyncio.Task[None]") -> bool:
    """Whether a task that has ended raised something."""
    return not task.cancelled() and task.exception() is not None


def refusal(error: ResponseError) -> str:
    """The word that Redis begins an error with.

    The client takes it off the errors that it has classes for, and puts a sentence before those of pipelines.
    """
    if error.status_code is not None:
        return error.status_code
    text = str(error)
    found = re.search(r"caused error: \('([A-Z]+) ", text)
    return found[1] if found else text.partition(" ")[0]
