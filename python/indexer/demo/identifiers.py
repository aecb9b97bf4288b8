"""Identifiers as the network writes them, made from seeded random numbers: well formed, and of nobody."""

import hashlib
from datetime import UTC, datetime
from functools import lru_cache
from random import Random

MADE_UP = "did:plc:madeup"
"""How the DID of every made-up account begins. did:plc names are hashes: no real one is likely to begin like this."""

_DAG_CBOR = int.from_bytes(b"\x01\x71\x12\x20") << 256  # CIDv1, dag-cbor, sha2-256, 32 bytes (multiformats' tables)
_RAW = int.from_bytes(b"\x01\x55\x12\x20") << 256  # the same of raw bytes, for blobs


def _pairs(letters: str) -> list[str]:
    """The two letters of each number of ten bits; base 32 by pairs is several times as fast as by letters."""
    return [first + second for first in letters for second in letters]


_BASE32 = _pairs("abcdefghijklmnopqrstuvwxyz234567")
_SORTED = _pairs("234567abcdefghijklmnopqrstuvwxyz")
_CID_SHIFTS = range(280, -1, -10)
_TID_SHIFTS = range(60, -1, -10)


@lru_cache(maxsize=16_384)
def did(seed: int, number: int) -> str:
    """The DID of an account; the same for the same seed and number."""
    digest = hashlib.blake2b(f"{seed}/{number}".encode(), digest_size=12).digest()
    bits = int.from_bytes(digest)
    return MADE_UP + "".join([_BASE32[bits >> shift & 1023] for shift in range(0, 90, 10)])


def tid(us: int, clock: int = 0) -> str:
    """The TID of a time in microseconds since the epoch and a clock id of ten bits: 13 letters that sort by time."""
    bits = us << 10 | clock
    return "".join([_SORTED[bits >> shift & 1023] for shift in _TID_SHIFTS])[1:]


def record_cid(random: Random) -> str:
    """A CID of a record or commit, of no bytes that anybody has."""
    return _cid(_DAG_CBOR | random.getrandbits(256))


def blob_cid(random: Random) -> str:
    """A CID of a blob, of no bytes that anybody has."""
    return _cid(_RAW | random.getrandbits(256))


def timestamp(us: int) -> str:
    """A time in microseconds since the epoch as clients write it: `YYYY-MM-DDTHH:mm:ss.sssZ`."""
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _cid(bits: int) -> str:
    """Base 32 of 36 bytes without padding, which is 58 letters."""
    bits <<= 2
    return "b" + "".join([_BASE32[bits >> shift & 1023] for shift in _CID_SHIFTS])
