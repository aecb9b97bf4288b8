"""Rows in the binary form of PostgreSQL's COPY (its documentation, COPY, "Binary Format")."""

import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from indexer._native import encode_copy

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "text": st.text(),
    "jsonb": st.just('["a"]'),
    "boolean": st.booleans(),
    "": st.text(),
}


def decoded(data: bytes) -> list[list[bytes | None]]:
    """The fields of each row, None for NULL."""
    assert data.startswith(HEADER)
    assert data.endswith(TRAILER)
    rows, at, end = [], len(HEADER), len(data) - len(TRAILER)
    while at < end:
        (count,) = struct.unpack_from("!h", data, at)
        at += 2
        row: list[bytes | None] = []
        for _ in range(count):
            (length,) = struct.unpack_from("!i", data, at)
            at += 4
            row.append(None if length < 0 else data[at : at + length])
            at += max(length, 0)
        rows.append(row)
    assert at == end
    return rows


def field(kind: str, value: object) -> bytes | None:
    """What the field of a value must be."""
    if value is None:
        return None
    if kind == "boolean":
        return b"\1" if value else b"\0"
    return (b"\1" if kind == "jsonb" else b"") + str(value).encode()


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[tuple[object, ...]], list[str]]:
    types = draw(st.lists(st.sampled_from(list(VALUES)), max_size=6))
    row = st.tuples(*(st.none() | VALUES[kind] for kind in types))
    return draw(st.lists(row, max_size=5)), types


@settings(suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
@given(tables())
def test_every_value_is_a_field_of_its_row(table: tuple[list[tuple[object, ...]], list[str]]) -> None:
    rows, types = table
    wanted = [[field(kind, value) for kind, value in zip(types, row, strict=True) if kind] for row in rows]
    assert decoded(encode_copy(rows, types)) == wanted


@pytest.mark.parametrize(
    ("rows", "types", "error"),
    [
        ([("a",)], ["text", "text"], ValueError),
        ([("a",)], ["number"], ValueError),
        ([("\ud800",)], ["text"], ValueError),
        ([(1,)], ["text"], TypeError),
        ([("true",)], ["boolean"], TypeError),
        ([["a"]], ["text"], TypeError),
    ],
)
def test_misuse_raises(rows: Any, types: list[str], error: type[Exception]) -> None:
    with pytest.raises(error):
        encode_copy(rows, types)
