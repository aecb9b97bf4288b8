"""Values to bytes and back, and to JSON text."""

import base64
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexer import codec
from indexer.codec.testing import strategies

CID = codec.Cid.of_dag_cbor(b"\xa0")


def as_json(value: Any) -> Any:
    """A value as data-model JSON, plainly. Numbers are JavaScript's."""
    match value:
        case codec.Cid():
            return {"$link": str(value)}
        case bytes():
            return {"$bytes": base64.b64encode(value).decode().rstrip("=")}
        case float():
            # The fewest digits that say which double it is, and zeros.
            return int(Decimal(repr(value))) if value.is_integer() and abs(value) < 1e21 else value
        case list():
            return [as_json(item) for item in value]
        case dict():
            return {key: as_json(item) for key, item in value.items()}
    return value


@settings(deadline=None)
@given(st.lists(strategies.values(), max_size=5))
def test_values_survive_the_way_there_and_back(values: list[Any]) -> None:
    blocks = codec.encode_dag_cbor(values)
    again = codec.decode_dag_cbor(blocks)
    assert again == values
    assert codec.encode_dag_cbor(again) == blocks


@settings(deadline=None)
@given(st.lists(strategies.values(), max_size=5))
def test_json_says_what_the_value_says(values: list[Any]) -> None:
    texts = codec.dag_cbor_to_json(codec.encode_dag_cbor(values))
    assert [json.loads(codec.checked(text)) for text in texts] == [as_json(value) for value in values]


@settings(deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_keep_every_bit(number: float) -> None:
    (again,) = codec.decode_dag_cbor(codec.encode_dag_cbor([number]))
    assert math.copysign(1, again) == math.copysign(1, number)
    assert again == number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, b"1"),
        (-0.0, b"0"),
        (1e21, b"1e+21"),
        (1e-7, b"1e-7"),
        (2**53 + 1, b"9007199254740993"),
        (2**64 - 1, b"18446744073709551615"),
        (-(2**64), b"-18446744073709551616"),
        ('\0\x1f\x7f\u2028"\\/', '"\\u0000\\u001f\x7f\u2028\\"\\\\/"'.encode()),
        (b"\xff\xfe", b'{"$bytes":"//4"}'),
        ({"b": 1, "aa": 2, "10": 3}, b'{"b":1,"10":3,"aa":2}'),
        ({"cid": str(CID), "mimeType": "a/b"}, f'{{"cid":"{CID}","mimeType":"a/b"}}'.encode()),
        (
            {"$type": "blob", "ref": CID, "mimeType": "a/b", "size": 1},
            f'{{"$type":"blob","ref":{{"$link":"{CID}"}},"mimeType":"a/b","size":1}}'.encode(),
        ),
        (
            [{"$type": "blob", "ref": CID, "mimeType": "a/b", "size": -1, "x": 0}],
            f'[{{"x":0,"ref":{{"$link":"{CID}"}},"size":-1,"$type":"blob","mimeType":"a/b"}}]'.encode(),
        ),
    ],
)
def test_json_has_the_form_of_the_reference(value: object, text: bytes) -> None:
    assert codec.dag_cbor_to_json(codec.encode_dag_cbor([value])) == [text]


def test_keys_that_differ_in_one_byte_are_told_apart() -> None:
    keys = ["a" * length for length in range(50)]
    keys += [key[:place] + "b" + key[place + 1 :] for key in keys for place in range(len(key))]
    values = [{key: number} for number, key in enumerate(keys)]
    blocks = codec.encode_dag_cbor(values)
    for _ in range(2):
        assert codec.decode_dag_cbor(blocks) == values


def test_bad_utf8_is_read_with_replacements() -> None:
    data = bytes.fromhex("a261ff6180 63eda080 6261".replace(" ", "")) + b"\xff\x62a\xf0"
    assert codec.decode_dag_cbor([b"\x63a\xffb", b"\x63\xed\xa0\x80"]) == ["a\ufffdb", "\ufffd\ufffd\ufffd"]
    assert codec.dag_cbor_to_json([b"\x63a\xffb"]) == ['"a\ufffdb"'.encode()]
    assert codec.decode_dag_cbor([b"\xa1\x61\xff\x01"]) == [{"\ufffd": 1}]
    # Two keys that differ, and read the same: the last one counts, as in the reference.
    (value,) = codec.decode_dag_cbor([b"\xa2\x61\xfe\x01\x61\xff\x02"])
    assert value == {"\ufffd": 2}
    assert isinstance(codec.decode_dag_cbor([data])[0], codec.Fault)


def test_depth_is_what_the_caller_allows() -> None:
    nested = codec.encode_dag_cbor([[[[]]]])
    assert codec.decode_dag_cbor(nested, max_depth=3) == [[[[]]]]
    for decode in (codec.decode_dag_cbor, codec.dag_cbor_to_json):
        (fault,) = decode(nested, max_depth=2)
        assert isinstance(fault, codec.Fault)
        assert (fault.kind, fault.group, fault.at) == ("too_deep", "limit", 2)
    with pytest.raises(ValueError, match="deeper than 2 levels"):
        codec.encode_dag_cbor([[[[]]]], max_depth=2)
    circle: list[Any] = []
    circle.append(circle)
    with pytest.raises(ValueError, match="deeper than 1000 levels"):
        codec.encode_dag_cbor([circle])


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({1, 2}, TypeError),
        (object(), TypeError),
        ({1: 2}, TypeError),
        (bytearray(b"a"), TypeError),
        (1j, TypeError),
        (2**64, ValueError),
        (-(2**64) - 1, ValueError),
        (10**1000, ValueError),
        (math.nan, ValueError),
        (math.inf, ValueError),
        ("\ud800", ValueError),
        ({"\ud800": 1}, ValueError),
    ],
)
def test_what_dag_cbor_does_not_have_raises(value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        codec.encode_dag_cbor([value])
    with pytest.raises(error):
        codec.encode_dag_cbor([{"a": [value]}])


@pytest.mark.parametrize("decode", [codec.decode_dag_cbor, codec.dag_cbor_to_json, codec.decode_frames])
def test_what_is_not_bytes_raises(decode: Callable[[Any], object]) -> None:
    for items in (b"\x80", ["\x80"], [bytearray(b"\x80")], [None], 7):
        with pytest.raises(TypeError):
            decode(items)


def test_faults_are_values_in_their_place() -> None:
    good, bad = codec.encode_dag_cbor([{"a": 1}])[0], b"\x18\x17"
    assert codec.decode_dag_cbor([good, bad, good])[0::2] == [{"a": 1}] * 2
    (fault,) = codec.decode_dag_cbor([bad])
    assert isinstance(fault, codec.Fault)
    assert fault == codec.dag_cbor_to_json([bad])[0]
    assert hash(fault) == hash(codec.dag_cbor_to_json([bad])[0])
    assert (fault.kind, fault.group, fault.at, fault.place) == ("not_minimal", "corrupt", 0, "")
    assert str(fault) == fault.detail == "a number is not in its shortest form, at byte 0"
    with pytest.raises(codec.CorruptError, match="shortest form") as caught:
        codec.checked(fault)
    assert caught.value.fault is fault
    assert isinstance(caught.value, codec.CodecError)
