"""What thread gates and post gates have in common (records.md 5.10)."""

from indexer.fold import aturi
from indexer.fold.record_type import Version


def is_gate_of(version: Version, post: str) -> bool:
    """A gate has the authority and the record key of its post; of which collection that is, nobody checks."""
    uri = aturi.parse(post)
    return uri.authority == version.creator and uri.rkey == version.rkey
