"""Vectors of others: every one as it says."""

import base64
import io
import json
import re
from typing import Any

import pytest

from indexer import codec
from indexer.codec.testing import build
from tests.codec import corpus, oracle

FIXTURES = corpus.archive("vectors/dag-cbor-fixtures.tar.gz")
ITEMS = corpus.lines("vectors/cbor-rfc8949.jsonl.gz")
TREES = corpus.archive("vectors/mst-suite-cars.tar.gz")


def from_dag_json(value: Any) -> Any:
    """DAG-JSON as data-model JSON."""
    if isinstance(value, list):
        return [from_dag_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value.get("/"):
        case str(cid):
            return {"$link": str(codec.Cid(cid))}
        case {"bytes": text}:
            return {"$bytes": text}
    return {key: from_dag_json(item) for key, item in value.items()}


@pytest.mark.parametrize("name", sorted(name for name in FIXTURES if name.endswith(".dag-cbor")))
def test_fixtures_of_ipld(name: str) -> None:
    data = FIXTURES[name]
    folder, _, file = name.rpartition("/")
    assert str(codec.Cid.of_dag_cbor(data)) == file.removesuffix(".dag-cbor")
    (value,) = codec.decode_dag_cbor([data])
    assert codec.encode_dag_cbor([value]) == [data]
    (twin,) = (FIXTURES[other] for other in FIXTURES if other.startswith(f"{folder}/") and other.endswith("json"))
    (text,) = codec.dag_cbor_to_json([data])
    assert json.loads(codec.checked(text)) == from_dag_json(json.loads(twin))


def test_items_of_rfc_8949_are_read_where_they_are_dag_cbor() -> None:
    dag_cbor = 0
    for item in ITEMS:
        data = bytes.fromhex(item["hex"])
        results = codec.decode_dag_cbor([data]) + codec.dag_cbor_to_json([data])
        try:
            expected = oracle.decode(data)
        except oracle.WrongError:
            assert all(isinstance(result, codec.Fault) for result in results), item
            continue
        assert results[0] == expected
        assert json.loads(results[1]) == expected if not isinstance(expected, bytes) else b"$bytes" in results[1]
        assert item["valid"], item
        dag_cbor += 1
    assert (len(ITEMS), dag_cbor) == (325, 22)


def test_records_of_the_data_model() -> None:
    for case in json.loads(corpus.unpacked("vectors/data-model-fixtures.json.gz")):
        data = base64.b64decode(case["cbor_base64"] + "==")
        assert str(codec.Cid.of_dag_cbor(data)) == case["cid"]
        (text,) = codec.dag_cbor_to_json([data])
        assert json.loads(codec.checked(text)) == case["json"]


def test_nesting_to_torture_decoders_is_a_fault() -> None:
    data = corpus.unpacked("vectors/semi_torture_nested_lists.dagcbor.gz")
    for result in codec.decode_dag_cbor([data]) + codec.dag_cbor_to_json([data]):
        assert isinstance(result, codec.Fault)
        assert (result.kind, result.group) == ("too_deep", "limit")


def test_layers_of_keys() -> None:
    for case in json.loads(corpus.unpacked("vectors/key_heights.json.gz")):
        assert build.layer(case["key"].encode()) == case["height"]


def test_keys_whose_names_say_their_layers() -> None:
    keys = [line.encode() for line in corpus.unpacked("vectors/example_keys.txt.gz").decode().split()]
    assert len(keys) == 80
    assert [build.layer(key) for key in keys] == [int(key[1:2]) for key in keys]
    leaf = codec.Cid.of_raw(b"")
    root, blocks = build.tree(dict.fromkeys(keys, leaf))
    tree = codec.read_tree(io.BytesIO(build.car([root], blocks.items())))
    assert isinstance(tree, codec.Tree)
    assert list(tree) == [(key, leaf) for key in sorted(keys)]


def test_common_prefixes() -> None:
    for case in json.loads(corpus.unpacked("vectors/common_prefix.json.gz")):
        assert build.shared(case["left"].encode(), case["right"].encode()) == case["len"]


def test_naughty_strings_survive() -> None:
    texts = json.loads(corpus.unpacked("vectors/blns.json.gz"))
    assert len(texts) == 243
    values = [{text: text, "list": [text]} for text in texts]
    blocks = codec.encode_dag_cbor(values)
    assert codec.decode_dag_cbor(blocks) == values
    assert [json.loads(codec.checked(text)) for text in codec.dag_cbor_to_json(blocks)] == values
    assert [codec.sanitize_text(text) for text in texts] == [text.replace("\0", "") for text in texts]
    assert all(result is None for result in codec.normalize_timestamps(texts))


@pytest.mark.parametrize("name", sorted(TREES))
def test_trees_of_the_suite(name: str) -> None:
    tree = codec.read_tree(io.BytesIO(TREES[name]))
    assert isinstance(tree, codec.Tree)
    entries = list(tree)
    keys = [item[0] for item in entries if not isinstance(item, codec.Fault)]
    assert keys == sorted(keys)
    root, blocks = build.tree(dict(item for item in entries if not isinstance(item, codec.Fault)))
    # The same tree, built from its entries, is the same file but for the order of its blocks.
    assert len(build.car([root], blocks.items())) == len(TREES[name])
    assert bytes(root) == TREES[name][14:50]
    assert all(bytes(cid) + block in TREES[name] for cid, block in blocks.items())


def test_car_file_of_the_reference() -> None:
    (case,) = json.loads(corpus.unpacked("vectors/atproto-car-file-fixtures.json.gz"))
    data = base64.b64decode(case["car"] + "==")
    blocks = {codec.Cid(block["cid"]): base64.b64decode(block["bytes"] + "==") for block in case["blocks"]}
    assert build.car([codec.Cid(case["root"])], blocks.items()) == data
    # Its root is neither a commit nor a node.
    result = codec.read_car(io.BytesIO(data))
    assert isinstance(result, codec.Fault)
    assert result.kind == "bad_commit"


@pytest.mark.parametrize(
    "case", json.loads(corpus.unpacked("vectors/commit-proof-fixtures.json.gz")), ids=lambda case: case["comment"]
)
def test_proofs_of_commits_show_what_changed(case: dict[str, Any]) -> None:
    leaf = codec.Cid(case["leafValue"])
    before = {key.encode(): leaf for key in case["keys"]}
    after = dict.fromkeys([*before, *(key.encode() for key in case["adds"])], leaf)
    for key in case["dels"]:
        del after[key.encode()]
    root, blocks = build.tree(after)
    assert str(build.tree(before)[0]) == case["rootBeforeCommit"]
    assert str(root) == case["rootAfterCommit"]
    proof = {codec.Cid(text): blocks[codec.Cid(text)] for text in case["blocksInProof"]}
    tree = codec.read_tree(io.BytesIO(build.car([root], proof.items())))
    assert isinstance(tree, codec.Tree)
    shown = list(tree)
    keys = {item[0] for item in shown if not isinstance(item, codec.Fault)}
    assert {key.encode() for key in case["adds"]} <= keys <= set(after)
    missing = {item.place for item in shown if isinstance(item, codec.Fault)}
    assert missing == {str(cid) for cid in blocks if cid not in proof} & missing
    assert {item.kind for item in shown if isinstance(item, codec.Fault)} <= {"missing_block"}
    assert re.fullmatch(r"bafyrei\w{52}", str(root))
