"""The codec beside what people use today, on the same frames and records in the same run.

Time is that of the processor: others may use the machine. Who makes objects pays two or three times as much in a
process that holds as many as this one (libipld: 60 µs a frame here, 22 in a fresh interpreter); who makes few does not.

Before anything is measured, all must agree. tests/codec/test_peers.py says where they do not: on data nobody sends.
"""

import gc
import gzip
import io
import json
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import libipld
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benches import codec_peers, workload
from benches.report import Report
from indexer import codec
from tests.codec import corpus

ROUNDS = 15
BATCH = 100
FRAME, RECORD, EVENT = 4000, 633, 1113
"""Bytes of the frames, records and events that the targets are set for."""
FRAMES = f"the codec: frames of a relay nearest to {FRAME} bytes, µs of CPU a frame"
RECORDS = f"the codec: records nearest to {RECORD} bytes, µs of CPU a record"
EVENTS = f"the codec: stream events nearest to {EVENT} bytes, µs of CPU an event"
OTHERS = "the codec: the rest, µs of CPU each"


def nearest(items: Sequence[bytes], size: int) -> list[bytes]:
    """The twenty items that come nearest to that size, many times."""
    return sorted(items, key=lambda item: abs(len(item) - size))[:20] * 50


@cache
def frames() -> list[bytes]:
    return nearest(corpus.frames("relay-2026-07-04"), FRAME)


@cache
def records() -> list[bytes]:
    """Out of the repositories and the frames."""
    found = []
    for name in corpus.CARS:
        repository = codec.checked(codec.read_car(io.BytesIO(corpus.car(name))))
        cids = {bytes(item.cid) for item in repository if isinstance(item, codec.CarRecord)}
        _, blocks = libipld.decode_car(corpus.car(name))
        found += [libipld.encode_dag_cbor(value) for cid, value in blocks.items() if cid in cids]
    for frame in corpus.frames("relay-2026-07-04"):
        values = codec_peers.by_libipld(frame).records.values()
        found += map(libipld.encode_dag_cbor, values)
    return nearest(found, RECORD)


def in_batches(decode: Callable[[Sequence[Any]], object], items: Sequence[Any]) -> Callable[[], None]:
    """Ours: batch by batch, results dropped."""
    batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]

    def work() -> None:
        for batch in batches:
            decode(batch)

    return work


def one_by_one(decode: Callable[[Any], object], items: Sequence[Any]) -> Callable[[], None]:
    """Theirs: item by item, results dropped."""

    def work() -> None:
        for item in items:
            decode(item)

    return work


def measured(
    benchmark: BenchmarkFixture,
    report: Report,
    section: str,
    name: str,
    work: Callable[[], object],
    count: int,
    *,
    bar: str = "",
) -> None:
    """Microseconds an item, of rounds that each do `work` on so many items.

    Without the garbage collector: the more objects a process has, the more it adds to those who make objects.
    """
    gc.collect()
    gc.disable()
    try:
        benchmark.pedantic(work, rounds=ROUNDS, iterations=1, warmup_rounds=1)  # type: ignore[no-untyped-call]
    finally:
        gc.enable()
    assert benchmark.stats is not None, "run with --benchmark-enable"
    report.add(section, name, [seconds * 1_000_000 / count for seconds in benchmark.stats.stats.data], bar=bar)


def ours(frame: codec.Frame) -> codec_peers.Found:
    """Our events as what the others find."""
    events = [json.loads(event) for event in frame.events]
    found = {f"{event['collection']}/{event['rkey']}": event["record"] for event in events if "record" in event}
    return codec_peers.Found(frame.kind, frame.seq or 0, found)


@pytest.mark.benchmark(group="codec-frames", timer=time.process_time)
def test_frames(benchmark: BenchmarkFixture, report: Report) -> None:
    batch = frames()
    decoded = codec.decode_frames(batch)
    assert all(isinstance(frame, codec.Frame) for frame in decoded)
    name = f"decode_frames: verified, stream events ({sum(map(len, batch)) / len(batch):,.0f} B)"
    measured(benchmark, report, FRAMES, name, in_batches(codec.decode_frames, batch), len(batch), bar="frames")


@pytest.mark.benchmark(group="codec-frames", timer=time.process_time)
@pytest.mark.parametrize("name", codec_peers.FRAMES)
def test_frames_by_others(benchmark: BenchmarkFixture, report: Report, name: str) -> None:
    decode, batch = codec_peers.FRAMES[name], frames()
    for frame, theirs in ((frame, decode(frame)) for frame in batch[:20]):
        (expected,) = codec.decode_frames([frame])
        assert ours(codec.checked(expected)) == theirs._replace(records=codec_peers.as_json(theirs.records))
    measured(benchmark, report, FRAMES, name, one_by_one(decode, batch), len(batch))


@pytest.mark.benchmark(group="codec-records", timer=time.process_time)
def test_records_to_json(benchmark: BenchmarkFixture, report: Report) -> None:
    batch = records()
    name = f"to JSON text: dag_cbor_to_json ({sum(map(len, batch)) / len(batch):,.0f} B)"
    measured(benchmark, report, RECORDS, name, in_batches(codec.dag_cbor_to_json, batch), len(batch), bar="records")


@pytest.mark.benchmark(group="codec-records", timer=time.process_time)
def test_records_to_json_by_cbrrr(benchmark: BenchmarkFixture, report: Report) -> None:
    batch = records()
    for block, text in zip(batch, codec.dag_cbor_to_json(batch), strict=True):
        assert json.loads(codec_peers.json_by_cbrrr(block)) == json.loads(codec.checked(text))
    name = "to JSON text: cbrrr (atjson) and orjson"
    measured(benchmark, report, RECORDS, name, one_by_one(codec_peers.json_by_cbrrr, batch), len(batch))


@pytest.mark.benchmark(group="codec-records", timer=time.process_time)
def test_records_to_objects(benchmark: BenchmarkFixture, report: Report) -> None:
    batch = records()
    measured(
        benchmark, report, RECORDS, "to objects: decode_dag_cbor", in_batches(codec.decode_dag_cbor, batch), len(batch)
    )


@pytest.mark.benchmark(group="codec-records", timer=time.process_time)
@pytest.mark.parametrize("name", codec_peers.RECORDS)
def test_records_to_objects_by_others(benchmark: BenchmarkFixture, report: Report, name: str) -> None:
    decode, batch = codec_peers.RECORDS[name], records()
    for block, text in zip(batch, codec.dag_cbor_to_json(batch), strict=True):
        assert codec_peers.as_json(decode(block)) == json.loads(codec.checked(text))
    name = f"to objects: {name}"
    measured(benchmark, report, RECORDS, name, one_by_one(decode, batch), len(batch))


@pytest.mark.benchmark(group="codec-records", timer=time.process_time)
def test_records_from_objects(benchmark: BenchmarkFixture, report: Report) -> None:
    batch = records()
    values = codec.decode_dag_cbor(batch)
    assert codec.encode_dag_cbor(values) == batch
    measured(
        benchmark,
        report,
        RECORDS,
        "from objects: encode_dag_cbor",
        in_batches(codec.encode_dag_cbor, values),
        len(batch),
    )


@pytest.mark.benchmark(group="codec-records", timer=time.process_time)
@pytest.mark.parametrize("name", codec_peers.ENCODERS)
def test_records_from_objects_by_others(benchmark: BenchmarkFixture, report: Report, name: str) -> None:
    encode, batch = codec_peers.ENCODERS[name], records()
    values: list[Any] = [codec_peers.RECORDS[name](block) for block in batch]
    name = f"from objects: {name}"
    measured(benchmark, report, RECORDS, name, one_by_one(encode, values), len(batch))


@cache
def events() -> list[bytes]:
    """Posts of the network, each with its surroundings."""
    payloads = corpus_of_events()
    return nearest([payload for payload in payloads if isinstance(ours_of(payload), codec.Event)], EVENT)


def corpus_of_events() -> list[bytes]:
    packed = Path(__file__).parents[1] / "rust/core/tests/data/real-events.jsonl.gz"
    return gzip.decompress(packed.read_bytes()).splitlines()


def ours_of(payload: bytes) -> codec.Event | codec.Reject | codec.Ignored:
    (event,) = codec.decode_events([payload])
    return event


@pytest.mark.benchmark(group="codec-events", timer=time.process_time)
def test_events(benchmark: BenchmarkFixture, report: Report) -> None:
    batch = events()
    name = f"decode_events: checked, all fields, record.json ({sum(map(len, batch)) / len(batch):,.0f} B)"
    measured(benchmark, report, EVENTS, name, in_batches(codec.decode_events, batch), len(batch), bar="events")


@pytest.mark.benchmark(group="codec-events", timer=time.process_time)
@pytest.mark.parametrize("name", codec_peers.EVENTS)
def test_events_by_others(benchmark: BenchmarkFixture, report: Report, name: str) -> None:
    decode, batch = codec_peers.EVENTS[name], events()
    for payload in batch[:20]:
        event = ours_of(payload)
        assert isinstance(event, codec.Event)
        assert decode(payload) == (event.kind, event.did, event.collection, event.rkey, event.cid)
    measured(benchmark, report, EVENTS, name, one_by_one(decode, batch), len(batch))


@pytest.mark.benchmark(group="codec-events", timer=time.process_time)
def test_events_of_the_workload(benchmark: BenchmarkFixture, report: Report) -> None:
    batch = workload.payloads()[: workload.BATCH]
    clocks = [time.time_ns() // 1_000_000] * len(batch)
    name = f"decode_events, likes and all else ({sum(map(len, batch)) / len(batch):,.0f} B)"
    measured(benchmark, report, EVENTS, name, lambda: codec.decode_events(batch, clocks), len(batch))


@pytest.mark.benchmark(group="codec-others", timer=time.process_time)
def test_timestamps(benchmark: BenchmarkFixture, report: Report) -> None:
    texts = ["2026-07-04T14:38:07.517Z", "2026-07-04T14:38:07.517123+02:00", "2026-07-04T14:38:07Z"] * 1000
    work = in_batches(codec.normalize_timestamps, texts)
    measured(benchmark, report, OTHERS, "normalize_timestamps", work, len(texts))


@pytest.mark.benchmark(group="codec-others", timer=time.process_time)
def test_texts(benchmark: BenchmarkFixture, report: Report) -> None:
    texts = ["a post of usual length: two lines of text, some of it in another language (äöü), and a link"] * 3000
    name = "sanitize_text, nothing to mend"
    measured(benchmark, report, OTHERS, name, one_by_one(codec.sanitize_text, texts), len(texts))
