"""`text[]` between Python and PostgreSQL, encoded in Rust.

asyncpg asks each element of a list whether it is a list itself, which costs more than all else of a statement
over keys: 0.8 µs an element, of which a message has twelve. Its public `set_type_codec` takes no arrays, what is behind
it does.
"""

import struct
from typing import TYPE_CHECKING, Any

from indexer import _native

if TYPE_CHECKING:
    from indexer.connections.database import Connection

_OID = 1009  # of text[] in every database (pg_type.dat)


async def encode_text_arrays(connection: "Connection") -> None:
    """Let a connection take lists for `text[]` the short way; with another asyncpg it goes on as before."""
    try:
        settings: Any = connection._protocol.get_settings()  # type: ignore[union-attr]
        add = settings.add_python_codec
    except AttributeError:
        return
    add(_OID, "_text", "pg_catalog", [], "scalar", _native.encode_text_array, _decode, "binary")


def _decode(data: bytes) -> list[str | None]:
    """The elements of an array of one dimension, or of none."""
    dimensions, _nulls, _element = struct.unpack_from("!iii", data)
    if dimensions > 1:
        raise ValueError("arrays of several dimensions are not read")
    number = struct.unpack_from("!i", data, 12)[0] if dimensions else 0
    found: list[str | None] = []
    at = 20
    for _ in range(number):
        (length,) = struct.unpack_from("!i", data, at)
        at += 4
        found.append(None if length < 0 else data[at : at + length].decode())
        at += max(length, 0)
    return found
