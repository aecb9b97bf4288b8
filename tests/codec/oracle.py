"""DAG-CBOR as plainly as it can be read: what the quick decoder is compared with."""

import math
import struct
from typing import Any

from indexer.codec import Cid


class WrongError(Exception):
    """Not DAG-CBOR."""


def decode(data: bytes, max_depth: int = 1000) -> Any:
    value, end = _item(data, 0, max_depth)
    if end != len(data):
        raise WrongError
    return value


def _item(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if at >= len(data):
        raise WrongError
    major, info = data[at] >> 5, data[at] & 31
    if major == 7:
        return _simple(data, at, info)
    number, at = _number(data, at, info)
    if major == 0:
        return number, at
    if major == 1:
        return -1 - number, at
    if major in (2, 3):
        if at + number > len(data):
            raise WrongError
        content = data[at : at + number]
        return (content if major == 2 else content.decode("utf-8", "replace")), at + number
    if major == 6:
        return _link(data, at, number)
    if not depth:
        raise WrongError
    return (_list if major == 4 else _map)(data, at, number, depth - 1)


def _number(data: bytes, at: int, info: int) -> tuple[int, int]:
    if info < 24:
        return info, at + 1
    if info > 27:
        raise WrongError
    width = 1 << info - 24
    number = int.from_bytes(data[at + 1 : at + 1 + width])
    if at + 1 + width > len(data) or number < (24, 1 << 8, 1 << 16, 1 << 32)[info - 24]:
        raise WrongError
    return number, at + 1 + width


def _simple(data: bytes, at: int, info: int) -> tuple[Any, int]:
    if info in (20, 21, 22):
        return {20: False, 21: True, 22: None}[info], at + 1
    if info != 27 or at + 9 > len(data):
        raise WrongError
    (number,) = struct.unpack_from(">d", data, at + 1)
    if not math.isfinite(number):
        raise WrongError
    return number, at + 9


def _link(data: bytes, at: int, tag: int) -> tuple[Cid, int]:
    if tag != 42 or at >= len(data) or data[at] >> 5 != 2:
        raise WrongError
    content, at = _item(data, at, 0)
    try:
        if content[:1] != b"\0":
            raise WrongError
        return Cid.from_bytes(content[1:]), at
    except ValueError as error:
        raise WrongError from error


def _list(data: bytes, at: int, count: int, depth: int) -> tuple[list[Any], int]:
    items = []
    for _ in range(count):
        item, at = _item(data, at, depth)
        items.append(item)
    return items, at


def _map(data: bytes, at: int, count: int, depth: int) -> tuple[dict[str, Any], int]:
    found = {}
    before = None
    for _ in range(count):
        if at >= len(data) or data[at] >> 5 != 3:
            raise WrongError
        number, start = _number(data, at, data[at] & 31)
        key, at = _item(data, at, 0)
        order = (number, data[start : start + number])
        if before is not None and order <= before:
            raise WrongError
        before = order
        found[key], at = _item(data, at, depth)
    return found, at
