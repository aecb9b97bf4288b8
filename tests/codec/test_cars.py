"""Repositories of the network against the lists of their records, and what happens to them on the way."""

import io
import json
import random

import pytest

from indexer import codec
from indexer.codec.testing import build
from tests.codec import corpus

RECORDS = {
    f"app.bsky.feed.post/3l4cjkh6a{digit}x2b": {"$type": "app.bsky.feed.post", "text": digit, "createdAt": build.TIME}
    for digit in "abcdefghijklmnopqrstuvwxyz"
}


def read(data: bytes) -> tuple[codec.Commit, list[codec.CarRecord]]:
    repository = codec.checked(codec.read_car(io.BytesIO(data)))
    items = list(repository)
    assert repository.is_complete
    return repository.commit, [item for item in items if not isinstance(item, codec.Fault)]


def faults(data: bytes) -> set[str]:
    """Kinds of all faults of a file."""
    repository = codec.read_car(io.BytesIO(data))
    if isinstance(repository, codec.Fault):
        return {repository.kind}
    found = {item.kind for item in repository if isinstance(item, codec.Fault)}
    assert repository.is_complete == (not found)
    return found


@pytest.mark.parametrize("name", corpus.CARS)
def test_records_are_those_of_the_list_in_its_order(name: str) -> None:
    commit, records = read(corpus.car(name))
    expected = corpus.lines(f"cars/{name}.jsonl.gz")
    assert [
        {
            "collection": record.collection,
            "rkey": record.rkey,
            "cid": str(record.cid),
            "record": json.loads(record.json),
        }
        for record in records
    ] == [{field: line[field] for field in ("collection", "rkey", "cid", "record")} for line in expected]
    assert {line["did"] for line in expected} == {commit.did}
    assert {line["rev"] for line in expected} == {commit.rev}
    assert commit.version == (2 if commit.rev is None else 3)
    (fields,) = codec.decode_dag_cbor([commit.unsigned])
    (signed,) = codec.encode_dag_cbor([{**fields, "sig": commit.sig}])
    assert codec.Cid.of_dag_cbor(signed) == commit.cid
    assert len(commit.sig) == 64


def test_the_order_of_blocks_does_not_matter() -> None:
    root, blocks = build.repository(RECORDS)
    expected = [record.json for record in read(build.car([root], blocks.items()))[1]]
    assert len(expected) == len(RECORDS)
    generator = random.Random(7)
    for _ in range(20):
        shuffled = list(blocks.items())
        generator.shuffle(shuffled)
        data = build.car([root], [*shuffled, *generator.sample(shuffled, 5)])
        assert [record.json for record in read(data)[1]] == expected


def test_any_size_of_pieces_gives_the_same() -> None:
    data = build.repository_car(RECORDS)

    class Slow(io.BytesIO):
        step = 0

        def read(self, size: int | None = None) -> bytes:
            return super().read(self.step)

    for step in (1, 2, 3, 36, 37, 100, 1 << 20):
        slow = Slow(data)
        slow.step = step
        repository = codec.checked(codec.read_car(slow))
        assert len(list(repository)) == len(RECORDS)
        assert repository.is_complete


def test_records_that_are_equal_share_a_block() -> None:
    records = {path: {"$type": "app.bsky.feed.like"} for path in RECORDS}
    assert len(read(build.repository_car(records))[1]) == len(RECORDS)


def test_an_empty_repository_has_no_records() -> None:
    commit, records = read(build.repository_car({}))
    assert (commit.did, commit.rev, records) == (build.DID, build.REV, [])


@pytest.mark.parametrize("name", ["rsky-valid", "microcosm-tiny"])
def test_a_file_that_was_cut_off_anywhere_is_truncated(name: str) -> None:
    data = corpus.car(name)
    for end in range(len(data)):
        repository = codec.read_car(io.BytesIO(data[:end]))
        items = [repository] if isinstance(repository, codec.Fault) else list(repository)
        found = [item for item in items if isinstance(item, codec.Fault)]
        assert found, end
        assert {fault.group for fault in found} == {"truncated"}, (end, found)


@pytest.mark.parametrize("name", ["rsky-valid", "microcosm-tiny"])
def test_a_bit_that_is_flipped_anywhere_is_found(name: str) -> None:
    data = corpus.car(name)
    for at in range(len(data)):
        assert faults(data[:at] + bytes([data[at] ^ 1 << at % 8]) + data[at + 1 :]), at


def test_blocks_that_are_swapped_missing_or_foreign_are_found() -> None:
    root, blocks = build.repository(RECORDS)
    cids = list(blocks)
    for first, second in ((0, 1), (1, 2), (-1, -2)):
        swapped = {**blocks, cids[first]: blocks[cids[second]], cids[second]: blocks[cids[first]]}
        assert faults(build.car([root], swapped.items())) == {"bad_hash"}
    for place in range(len(cids)):
        assert faults(build.car([root], [item for item in blocks.items() if item[0] != cids[place]])) == {
            "missing_block"
        }
    raw = codec.Cid.of_raw(b"x")
    assert not faults(build.car([root], [*blocks.items(), (raw, b"x")]))
    assert faults(build.car([root], [*blocks.items(), (raw, b"y")])) == {"bad_hash"}
    foreign = codec.Cid("QmRgutAxd8t7oGkSm4wmeuByG6M51wcTso6cubDdQtuEfL")
    assert faults(build.car([root], [*blocks.items(), (foreign, b"")])) == {"bad_cid"}


def test_roots_other_than_one_are_refused() -> None:
    root, blocks = build.repository(RECORDS)
    for roots in ([], [root, root], [*blocks][:2]):
        assert faults(build.car(roots, blocks.items())) == {"bad_car"}
    assert faults(build.car([codec.Cid.of_raw(b"")], blocks.items())) == {"bad_cid"}
    assert faults(build.car([[*blocks][1]], blocks.items())) == {"bad_commit"}


NO_COMMITS = [
    {"did": None},
    {"did": ["x"]},
    {"rev": None},
    {"rev": 7},
    {"data": None},
    {"data": "x"},
    {"version": 1},
    {"version": 4},
    {"sig": "text"},
    {"sig": None},
]


@pytest.mark.parametrize("change", NO_COMMITS, ids=str)
def test_what_is_no_commit_is_refused(change: dict[str, object]) -> None:
    _, blocks = build.repository({})
    commit = {"did": build.DID, "rev": build.REV, "data": [*blocks][1], "prev": None, "version": 3, "sig": b""} | change
    root, signed = build.block({name: value for name, value in commit.items() if value is not None or name == "prev"})
    assert faults(build.car([root], {**blocks, root: signed}.items())) == {"bad_commit"}


def test_a_record_that_is_none_costs_itself_only() -> None:
    good = {"$type": "app.bsky.feed.post"}
    records = {**dict.fromkeys(RECORDS, good), "app.bsky.feed.post/3l4cjkh6azzzz": [1]}
    repository = codec.checked(codec.read_car(io.BytesIO(build.repository_car(records))))
    items = list(repository)
    (fault,) = (item for item in items if isinstance(item, codec.Fault))
    assert (fault.kind, fault.place) == ("bad_record", "app.bsky.feed.post/3l4cjkh6azzzz")
    assert len(items) == len(RECORDS) + 1
    assert not repository.is_complete


def test_misuse_raises() -> None:
    limits = codec.Limits()
    reader = codec.CarReader(
        max_bytes=limits.bytes,
        max_blocks=limits.blocks,
        max_section=limits.section,
        max_depth=limits.depth,
        max_path=limits.path,
        memory=limits.memory,
    )
    with pytest.raises(ValueError, match="finish comes first"):
        reader.records(1)
    with pytest.raises(TypeError):
        reader.feed("text")  # type: ignore[arg-type]
    assert reader.feed(build.repository_car({})) is None
    assert isinstance(reader.finish(), codec.Commit)
    with pytest.raises(ValueError, match="ended already"):
        reader.feed(b"")
    with pytest.raises(ValueError, match="ended already"):
        reader.finish()
    assert reader.records(10) == []
