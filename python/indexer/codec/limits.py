"""What a file may cost."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of `read_car`: a file beyond one of them ends in a `Fault` of the group `limit`.

    >>> Limits(bytes=10 << 20, seconds=60)
    Limits(bytes=10485760, blocks=3000000, section=4194304, depth=1000, path=16777216, seconds=60, rate=1024, \
rate_seconds=30, memory=16777216)
    """

    bytes: int = 2 << 30
    """Of the whole file."""
    blocks: int = 3_000_000
    """In the file. Each takes 16 bytes of memory."""
    section: int = 4 << 20
    """Bytes of a block with its CID, and of the header."""
    depth: int = 1000
    """Levels of nesting of a record."""
    path: int = 16 << 20
    """Bytes of all nodes on the way from the root of the tree to a record."""
    seconds: float = 300
    """Until the last byte has arrived. Measured between reads: a read that blocks is the stream's to limit."""
    rate: int = 1024
    """Bytes a second that must arrive ..."""
    rate_seconds: float = 30
    """... in each interval of so many seconds."""
    memory: int = 16 << 20
    """Bytes of the file that are kept in memory; a larger one goes to a temporary file."""
