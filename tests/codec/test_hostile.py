"""The hostile corpus, and what strategies draw: every input ends in a result or a fault, none in an exception."""

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import codec
from indexer.codec.testing import build, hostile, strategies
from tests.codec import corpus, oracle

CASES = [*hostile.ITEMS, *hostile.FRAMES, *hostile.CARS]


def test_names_are_unique_and_every_kind_of_fault_has_its_case() -> None:
    for cases in (hostile.ITEMS, hostile.FRAMES, hostile.CARS):
        assert len({case.name for case in cases}) == len(cases)
    # The other three depend on limits, or on faults of our own.
    assert {case.kind for case in CASES} == {*codec.FAULT_KINDS} - {"too_many_blocks", "too_slow", "crashed"}


@pytest.mark.parametrize("case", hostile.ITEMS, ids=lambda case: case.name)
def test_items(case: hostile.Case) -> None:
    for result in codec.decode_dag_cbor([case.data]) + codec.dag_cbor_to_json([case.data]):
        assert isinstance(result, codec.Fault)
        assert result.kind == case.kind
        assert 0 <= result.at <= len(case.data)


@pytest.mark.parametrize("case", hostile.FRAMES, ids=lambda case: case.name)
def test_frames(case: hostile.Case) -> None:
    (result,) = codec.decode_frames([case.data])
    assert isinstance(result, codec.Fault)
    assert result.kind == case.kind
    assert 0 <= result.at <= len(case.data)


@pytest.mark.parametrize("case", hostile.CARS, ids=lambda case: case.name)
def test_cars(case: hostile.Case) -> None:
    repository = codec.read_car(io.BytesIO(case.data))
    items = [repository] if isinstance(repository, codec.Fault) else list(repository)
    assert [item.kind for item in items if isinstance(item, codec.Fault)] == [case.kind]


@settings(deadline=None)
@given(strategies.broken(strategies.items()) | st.binary(max_size=60))
def test_any_bytes_are_read_as_the_plain_decoder_reads_them(data: bytes) -> None:
    (value,) = codec.decode_dag_cbor([data])
    (text,) = codec.dag_cbor_to_json([data])
    try:
        expected = oracle.decode(data)
    except oracle.WrongError:
        assert isinstance(value, codec.Fault)
        assert value == text
        assert value.kind != "crashed"
        return
    # Text that is no UTF-8 has another form when it is written again.
    assert value == expected
    assert repr(value) == repr(expected)
    json.loads(codec.checked(text))


@settings(deadline=None)
@given(strategies.broken(strategies.frames()))
def test_a_broken_frame_is_a_frame_or_a_fault(data: bytes) -> None:
    (result,) = codec.decode_frames([data])
    if isinstance(result, codec.Fault):
        assert result.kind != "crashed"
        assert 0 <= result.at <= len(data)
        return
    for event in result.events:
        assert isinstance(json.loads(event), dict)
    codec.decode_labels(result.events) if result.kind == "#labels" else codec.decode_events(result.events)


@settings(deadline=None)
@given(st.sampled_from([frame for name in corpus.FRAMES for frame in corpus.frames(name)]), st.data())
def test_a_frame_that_was_cut_off_is_truncated(frame: bytes, data: st.DataObject) -> None:
    (result,) = codec.decode_frames([frame[: data.draw(st.integers(0, len(frame) - 1))]])
    assert isinstance(result, codec.Fault)
    assert (result.kind, result.group) == ("truncated", "truncated")


@settings(max_examples=40, deadline=None)
@given(strategies.broken(strategies.repositories(5).map(build.repository_car)))
def test_a_broken_file_gives_no_record_that_is_not_in_it(data: bytes) -> None:
    repository = codec.read_car(io.BytesIO(data))
    if isinstance(repository, codec.Fault):
        assert repository.kind != "crashed"
        return
    for item in repository:
        if isinstance(item, codec.Fault):
            assert item.kind != "crashed"
        else:
            assert bytes(item.cid) in data
            json.loads(item.json)


@settings(max_examples=20, deadline=None)
@given(strategies.repositories())
def test_repositories_are_read_as_they_were_made(records: dict[str, dict[str, Any]]) -> None:
    repository = codec.checked(codec.read_car(io.BytesIO(build.repository_car(records))))
    found = {f"{item.collection}/{item.rkey}": item for item in repository if not isinstance(item, codec.Fault)}
    assert list(found) == sorted(records)
    assert {path: item.cid for path, item in found.items()} == {
        path: build.block(value)[0] for path, value in records.items()
    }
    assert repository.is_complete


@settings(deadline=None)
@given(strategies.frames())
def test_frames_of_the_strategy_are_right(frame: bytes) -> None:
    (result,) = codec.decode_frames([frame])
    assert isinstance(result, codec.Frame)
    assert result.skipped == 0
