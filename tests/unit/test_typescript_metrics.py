"""The series under the TypeScript indexer's names: names, labels and figures (INDEXER_TYPESCRIPT_METRICS)."""

from types import SimpleNamespace
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from indexer.daemon.typescript_metrics import TypeScriptMetrics
from indexer.lane.decoding import decode, decode_labels
from indexer.lane.lane_metrics import LaneMetrics
from indexer.lane.pipeline import Lane
from indexer.lane.source import Message, Source
from indexer.metrics import Metrics
from indexer.sink.commit import Sink
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.halving import Outcome
from tests.messages import A, create, delete, label, label_message, like, like_uri, post, post_uri, uri

OF_LANE = {"stream": "firehose_live", "group": "firehose_group", "consumer": "one"}
OF_LABELS = {"stream": "label_live", "group": "label_group", "consumer": "one"}
NAMES = {
    f"{kind}_indexer_{name}"
    for kind in ("stream", "label")
    for name in (
        "messages_processed",
        "messages_failed",
        "messages_waiting_count",
        "messages_running_count",
        "message_processing_time",
    )
}


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


def lane(labels: dict[str, str], how: Any = decode) -> Lane[Any]:
    source = SimpleNamespace(**labels)
    metrics = LaneMetrics(Metrics((labels["stream"],)), labels["stream"])
    return Lane(cast(Source, source), cast(Sink, None), metrics, how)


def settle(of: Lane[Any], payloads: list[bytes], outcome: Outcome, seconds: float) -> None:
    messages = [Message(b"1-%d" % number, payload) for number, payload in enumerate(payloads)]
    batch = of._decode(messages, of.source.stream, 1_800_000_000_000)
    for listener in of._listeners:
        listener.settled(batch, outcome, seconds)


def test_names_and_labels_are_those_of_the_typescript_indexer_from_the_start(registry: CollectorRegistry) -> None:
    series = TypeScriptMetrics(registry)
    series.watch(lane(OF_LANE), labels=False)
    series.watch(lane(OF_LABELS, decode_labels), labels=True)
    found = {family.name: family for family in registry.collect() if not family.name.endswith("_created")}
    assert found.keys() == NAMES
    for name, family in found.items():
        of_time = name == "stream_indexer_message_processing_time"
        expected = {"stream", "group", "consumer", *(["type"] if of_time else [])}
        assert {label for sample in family.samples for label in sample.labels} - {"le"} == expected, name
        assert all(not sample.value for sample in family.samples if not sample.name.endswith("_created")), name
        if name.endswith(("processed", "failed")):
            assert {sample.name for sample in family.samples} <= {f"{name}_total", f"{name}_created"}
    buckets = {
        sample.labels["le"]
        for sample in found["label_indexer_message_processing_time"].samples
        if "le" in sample.labels
    }
    assert buckets == {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1.0", "2.5", "5.0", "10.0", "+Inf"}


def test_figures_of_events(registry: CollectorRegistry) -> None:
    events = lane(OF_LANE)
    TypeScriptMetrics(registry).watch(events, labels=False)
    payloads = [
        create(post_uri(A, "1"), post()), create(post_uri(A, "2"), post()),
        create(like_uri(A, "1"), like(post_uri(A, "1"))),
        delete(post_uri(A, "3")), create(uri(A, "com.example.thing", "1"), {"a": 1}), b"{poison", b"null",
    ]  # fmt: skip
    letter = DeadLetter("firehose_live", "1-2", "db_23514", "data", "23514", "", 3, b"")
    settle(events, payloads, Outcome(indexed=4, dead=[letter]), 0.25)
    value = registry.get_sample_value
    assert value("stream_indexer_messages_processed_total", OF_LANE) == 7
    assert value("stream_indexer_messages_failed_total", OF_LANE) == 2
    time = "stream_indexer_message_processing_time"
    counts = {
        kind: value(f"{time}_count", {**OF_LANE, "type": kind})
        for kind in (
            "create-app.bsky.feed.post",
            "create-app.bsky.feed.like",
            "delete-app.bsky.feed.post",
            "create-other",
        )
    }
    assert list(counts.values()) == [2, 1, 1, 1]
    assert value(f"{time}_sum", {**OF_LANE, "type": "create-app.bsky.feed.post"}) == 500, "milliseconds"


def test_figures_of_labels(registry: CollectorRegistry) -> None:
    labels = lane(OF_LABELS, decode_labels)
    TypeScriptMetrics(registry).watch(labels, labels=True)
    settle(labels, [label_message(label()), b"{poison"], Outcome(indexed=1), 0.002)
    value = registry.get_sample_value
    assert value("label_indexer_messages_processed_total", OF_LABELS) == 2
    assert value("label_indexer_messages_failed_total", OF_LABELS) == 1
    assert value("label_indexer_message_processing_time_bucket", {**OF_LABELS, "le": "2.5"}) == 1
    assert value("label_indexer_message_processing_time_bucket", {**OF_LABELS, "le": "1.0"}) == 0


def test_what_is_in_hand_waits_or_runs(registry: CollectorRegistry) -> None:
    events = lane(OF_LANE)
    TypeScriptMetrics(registry).watch(events, labels=False)
    events._in_hand.update({b"1-1", b"1-2", b"1-3"})
    events._in_work = 1
    assert registry.get_sample_value("stream_indexer_messages_waiting_count", OF_LANE) == 2
    assert registry.get_sample_value("stream_indexer_messages_running_count", OF_LANE) == 1
