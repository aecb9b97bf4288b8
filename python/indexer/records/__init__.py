"""The record types: a file each, a line each."""

from importlib import import_module
from typing import cast

from indexer.fold.record_type import RecordType

_FILES = (
    "block",
    "chat_declaration",
    "follow",
    "generator",
    "graph_list",
    "labeler",
    "like",
    "listblock",
    "listitem",
    "notification_declaration",
    "post",
    "postgate",
    "profile",
    "repost",
    "starterpack",
    "status",
    "threadgate",
    "verification",
)

_TYPES = [cast(RecordType, import_module(f"{__name__}.{name}").RECORD) for name in _FILES]

RECORDS: dict[str, RecordType] = {record_type.collection: record_type for record_type in _TYPES}
"""Every record type by its collection."""
