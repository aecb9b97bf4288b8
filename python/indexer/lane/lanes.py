"""The lanes of a process, with what each of them reads and writes."""

from typing import Any

from redis.asyncio import Redis

from indexer._native import Event
from indexer.configuration.settings import Settings
from indexer.connections.database import Pool, Turns
from indexer.fold.accounts import AccountRules
from indexer.lane.decoding import decode, decode_labels
from indexer.lane.intake import Intake
from indexer.lane.lane_metrics import LaneMetrics
from indexer.lane.pipeline import Lane
from indexer.lane.source import HeldSource, Source
from indexer.metrics import Metrics
from indexer.sink.commit import Sink
from indexer.sink.labels import Label, LabelSink
from indexer.sink.statements import Statements


def lanes_of(
    settings: Settings,
    pool: Pool,
    turns: Turns,
    statements: Statements,
    redis: Redis,
    metrics: Metrics,
    intake: Intake,
) -> list[Lane[Any]]:
    """A lane for each stream that the mode reads: those of events in their order, then that of labels."""
    kind: type[Source] = HeldSource if settings.takeover else Source
    consumer, size = settings.consumer, settings.batch_size

    def events(stream: str) -> Lane[Event]:
        sink = Sink(
            pool,
            statements,
            stream,
            settings.notifications,
            settings.aggregates,
            settings.max_attempts,
            turns,
            AccountRules(settings.did_resolution, settings.account_deletion),
        )
        source = kind(redis, stream, settings.group, consumer, size.usual, most=size.most)
        return Lane(source, sink, LaneMetrics(metrics, stream), decode, settings.dead_letter_limit, intake)

    def labels(stream: str) -> Lane[list[Label]]:
        # where connections are short it takes turns with the backlog: the live lane goes first
        sink = LabelSink(pool, statements, stream, settings.max_attempts, turns, rank=1)
        fields = (b"event", b"labels")  # streams.md 4
        source = kind(redis, stream, settings.label_group, consumer, size.usual, fields, size.most)
        return Lane(source, sink, LaneMetrics(metrics, stream), decode_labels, settings.dead_letter_limit, intake)

    lanes: list[Lane[Any]] = []
    if settings.mode != "label":
        lanes += map(events, settings.streams)
    if settings.mode != "stream":
        lanes.append(labels(settings.label_stream))
    return lanes
