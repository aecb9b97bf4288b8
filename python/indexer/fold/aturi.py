"""AT-URIs that passed validation, taken apart in one place (atproto AT-URI scheme; records.md 1.1, 3.2)."""

from typing import NamedTuple

SCHEME = "at://"


class AtUri(NamedTuple):
    """The parts of an AT-URI; `collection` and `rkey` are empty where the URI stops earlier."""

    authority: str
    collection: str
    rkey: str

    def sibling(self, collection: str) -> str:
        """The URI of the record with the same authority and record key in another collection."""
        return f"{SCHEME}{self.authority}/{collection}/{self.rkey}"


def parse(uri: str) -> AtUri:
    """Split an AT-URI; query and fragment belong to no part."""
    path = uri[len(SCHEME) :].partition("#")[0].partition("?")[0].split("/")
    return AtUri(path[0], path[1] if len(path) > 1 else "", path[2] if len(path) > 2 else "")


def authority(uri: str) -> str:
    """The DID or handle of an AT-URI."""
    return uri[len(SCHEME) :].partition("#")[0].partition("/")[0]


def with_path(uri: str) -> str:
    """The URI as the reference serializes it: a bare authority gains a slash (records.md 5.2)."""
    head, mark, fragment = uri.partition("#")
    return uri if "/" in head[len(SCHEME) :] else f"{head}/{mark}{fragment}"
