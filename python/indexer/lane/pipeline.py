"""The straight line of a message. Read this first.

A lane is the reader of one stream; a batch is consecutive messages of one lane and one transaction. In this order:

    `lane/source.py`      entries of the stream become messages
    `lane/decoding.py`    messages become events, or dead letters; in Rust (`_native.pyi`)
    `sink/commit.py`      the transaction: `sink/reads.py` asks what the batch must be judged by, `fold/apply.py`
                          applies its events one by one, `sink/writer.py` writes what became different
    `sink/derive.py`      after the commit, what two transactions can have missed of each other
    `lane/source.py`      and only then it is acknowledged

Here `Lane.run` takes batches from a queue that `_read` fills, one ahead; `_batch` writes one, `_settle` ends it.
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from typing import Any, Generic, Literal, TypeVar

import structlog
from redis.exceptions import ResponseError

from indexer.lane.decoding import Decode, Decoded
from indexer.lane.faults import LOST, PASSING, REDIS_AWAY, refusal
from indexer.lane.intake import IDLE_S, Intake
from indexer.lane.lane_metrics import LaneMetrics
from indexer.lane.listener import Listener
from indexer.lane.refusals import Refusals
from indexer.lane.source import BLOCK_MS, Message, Source
from indexer.lane.trial import DELIVERIES, find_deadly
from indexer.pulse import relying, waiting, with_pulse
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.halving import Content, HaltedError, HalvingSink, Outcome

log = structlog.get_logger()

Answer = TypeVar("Answer")

READ_AHEAD = 2
"""Batches in memory: one that is written, one that is decoded meanwhile."""
LOOK_AGAIN_S = 30.0
"""Between two looks at the own pending entries: who had the name before may have read on for a moment."""
DRAIN_BLOCK_MS = 100
"""With `--drain`, a stream that is silent for so long has ended. After a look back: more may be claimed soon."""

LaneState = Literal["working", "idle", "waiting", "paused", "halted"]


class Lane(Generic[Content]):
    """Reads one stream and writes its batches in stream order."""

    def __init__(
        self,
        source: Source,
        sink: HalvingSink[Content],
        metrics: LaneMetrics,
        decode: Decode[Content],
        dead_letter_limit: float | None = None,
        intake: Intake | None = None,
    ) -> None:
        """`intake` is what all lanes share; without it this one reads what it likes."""
        self.source = source
        self.sink = sink
        self.metrics = metrics
        self._decode = decode
        self._refusals = Refusals(source.stream, dead_letter_limit)
        self._intake = intake or Intake()
        self._share = self._intake.share()
        self._listeners: list[Listener] = []
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
        self._in_work = 0
        self._settling: asyncio.Task[None] | None = None
        """The end of the batch before."""

    def listen(self, listener: Listener) -> None:
        """Tell it what becomes of the batches."""
        self._listeners.append(listener)

    @property
    def in_hand(self) -> int:
        """Messages that were read and are not settled yet."""
        return len(self._in_hand)

    @property
    def in_work(self) -> int:
        """Of these, those whose batch is being written or settled."""
        return self._in_work

    @property
    def is_resting(self) -> bool:
        """Whether it holds nothing and may not read: it is paused, or others had what there is to read."""
        return self._share.is_waiting and not self._in_hand

    @property
    def is_paused(self) -> bool:
        """Whether it shall read nothing."""
        return self._intake.is_paused

    @property
    def state(self) -> LaneState:
        if self.halted:
            return "halted"
        if self._intake.is_paused and self.is_resting:
            return "paused"
        if self.waiting or self.sink.waits_for:
            return "waiting"
        return "working" if self._in_hand else "idle"

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
            if self.halted:
                self._share.failed()  # a read that was broken off may have brought something
            else:
                self._share.took(0)

    async def _read(
        self, batches: "asyncio.Queue[Decoded[Content] | None]", stop: asyncio.Event, *, drain: bool
    ) -> None:
        """Fill the queue, one batch ahead of the writer."""
        if drain and not await self._patiently(self.source.exists):
            return  # nothing to drain, and a full Redis would refuse to make the group
        await self._patiently(self.source.ensure_group)
        async for messages in self._messages(stop, drain=drain):
            read_at = time.monotonic()
            with relying():
                await self._room.acquire()
            harmless, deadly = await self._tried(messages)
            with waiting():
                clock_ms = time.time_ns() // 1_000_000
                decoded = await asyncio.to_thread(self._decode, harmless, self.source.stream, clock_ms)
            decoded.add(deadly)
            decoded.read_at = read_at
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
                    async for page in self.source.own_pending(lambda most: self._ask(most, stop)):
                        if fresh := [message for message in page if message.id not in known]:
                            yield self._taken(fresh)
                        if stop.is_set():
                            return
                    looked_at = time.monotonic()
                count = await self._ask(self.source.wanted, stop)
                if not count:
                    return
                if self._intake.is_limited:
                    messages = await self.source.new(None, count)
                else:
                    messages = await self.source.new(block_ms)
            except REDIS_AWAY as error:
                self._share.failed()
                self.look_back = True
                await self._recover(error)
                continue
            self.waiting = False
            if messages:
                self.metrics.stage("read", time.perf_counter() - started)
                yield self._taken(messages)
                continue
            self._share.took(0)
            if not self._in_hand:
                self.progress = time.monotonic()
                if drain and not await self._patiently(self.source.pending):
                    return
                self.look_back |= drain
            if self._intake.is_limited:
                await asyncio.sleep(IDLE_S)

    async def _ask(self, most: int, stop: asyncio.Event) -> int:
        """How many messages may be read; while it holds nothing it is not to blame for the wait."""
        count = await self._share.ask(most, stop)
        if not self._in_hand:
            self.progress = time.monotonic()
        return count

    def _taken(self, messages: list[Message]) -> list[Message]:
        """Note that they are in hand, at once: what is neither read nor in hand is nobody's."""
        self._in_hand.update(message.id for message in messages)
        self._share.took(len(messages))
        return messages

    async def _batch(self, batch: Decoded[Content]) -> None:
        """Commit, derive again, acknowledge: never the other way round. The next batch waits for the commit only."""
        self._in_work += len(batch.ids)
        outcome = await self.sink.write(batch.entries, batch.letters)
        await self._batch_before()
        for listener in self._listeners:
            listener.written(len(batch.ids), [letter.cause for letter in (*batch.letters, *outcome.dead)])
        if not self._intake.is_closed:  # else it ends anyway, in order
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
        self._in_work -= len(batch.ids)
        self.done += len(batch.ids)
        self.progress = time.monotonic()
        self.metrics.batch(batch.tally, outcome)
        for listener in self._listeners:
            listener.settled(batch, outcome, self.progress - batch.read_at)
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
