"""The data of tests/codec/data."""

import gzip
import io
import json
import struct
import tarfile
from functools import cache
from pathlib import Path
from typing import Any

import zstandard

FOLDER = Path(__file__).parent / "data"
FRAMES = tuple(sorted(path.name.removesuffix(".frames.zst") for path in FOLDER.glob("frames/*.frames.zst")))
CARS = tuple(sorted(path.name.removesuffix(".car.gz") for path in FOLDER.glob("cars/*.car.gz")))


@cache
def unpacked(path: str) -> bytes:
    return gzip.decompress((FOLDER / path).read_bytes())


def lines(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in unpacked(path).splitlines()]


@cache
def frames(name: str) -> tuple[bytes, ...]:
    with (FOLDER / f"frames/{name}.frames.zst").open("rb") as packed:
        data = zstandard.ZstdDecompressor().stream_reader(packed).read()
    found = []
    at = 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        found.append(data[at + 4 : at + 4 + length])
        at += 4 + length
    return tuple(found)


def car(name: str) -> bytes:
    return unpacked(f"cars/{name}.car.gz")


def archive(path: str) -> dict[str, bytes]:
    """The files of an archive, by name."""
    with tarfile.open(fileobj=io.BytesIO(unpacked(path))) as files:
        return {
            member.name: content.read()
            for member in files.getmembers()
            if (content := files.extractfile(member)) is not None
        }
