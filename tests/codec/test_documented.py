"""Everything that is exported has its sentence, its place on the page, and its type: `make lint` checks this file."""

import ast
import inspect
import io
import re
from pathlib import Path
from typing import Any, Literal, assert_type

import pytest

from indexer import codec
from indexer.codec.testing import build

ROOT = Path(__file__).parents[2]
STUB = ast.parse((ROOT / "python/indexer/_native.pyi").read_text(encoding="utf-8"))
PAGE = (ROOT / "docs/codec.md").read_text(encoding="utf-8")


def sentence(name: str) -> str | None:
    """Of the stub, where the type is Rust's."""
    for node in STUB.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == name:
            return ast.get_docstring(node)
    return inspect.getdoc(getattr(codec, name))


@pytest.mark.parametrize("name", codec.__all__)
def test_what_is_exported_is_described(name: str) -> None:
    assert sentence(name)
    assert re.search(rf"\b{name}\b", PAGE), f"docs/codec.md does not name {name}"


def test_results_have_the_types_that_are_promised() -> None:
    (frame,) = codec.decode_frames([build.commit_frame({"a.b.c/1": {"a": 1}})])
    assert_type(frame, codec.Frame | codec.Fault)
    frame = codec.checked(frame)
    assert_type(frame, codec.Frame)
    assert_type(frame.seq, int | None)
    assert_type(codec.decode_events(frame.events), list[codec.Event | codec.Reject | codec.Ignored])
    labels = codec.decode_labels([])
    assert_type(labels, list[list[tuple[str, str, str, str, bool, str, str | None]] | codec.Reject | codec.Ignored])
    repository = codec.checked(codec.read_car(io.BytesIO(build.repository_car({"a.b.c/1": {"a": 1}}))))
    assert_type(repository, codec.Repository)
    assert_type(repository.commit, codec.Commit)
    for record in repository:
        assert_type(record, codec.CarRecord | codec.Fault)
    assert_type(codec.read_tree(io.BytesIO(b"")), codec.Tree | codec.Fault)
    blocks = codec.encode_dag_cbor([{"a": 1}])
    assert_type(blocks, list[bytes])
    assert_type(codec.decode_dag_cbor(blocks), list[Any])
    assert_type(codec.dag_cbor_to_json(blocks), list[bytes | codec.Fault])
    (fault,) = codec.dag_cbor_to_json([b""])
    assert isinstance(fault, codec.Fault)
    assert_type(fault.group, Literal["truncated", "corrupt", "limit"])
    assert_type(codec.Cid.of_raw(b"").digest, bytes)
    assert_type(codec.normalize_timestamps([]), list[str | None])
    assert_type(codec.sanitize_text(b""), str)
    assert_type(codec.is_valid("did", ""), bool)
    assert_type(codec.FAULT_KINDS, tuple[str, ...])
