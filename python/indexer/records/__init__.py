"""The record types: one file each, one line here."""

from indexer.records import (
    block,
    chat_declaration,
    follow,
    generator,
    labeler,
    like,
    list,
    listblock,
    listitem,
    notification_declaration,
    post,
    postgate,
    profile,
    repost,
    starterpack,
    status,
    threadgate,
    verification,
)
from indexer.records._spec import RecordType

RECORDS: dict[str, RecordType] = {
    module.RECORD.collection: module.RECORD
    for module in (
        block,
        chat_declaration,
        follow,
        generator,
        labeler,
        like,
        list,
        listblock,
        listitem,
        notification_declaration,
        post,
        postgate,
        profile,
        repost,
        starterpack,
        status,
        threadgate,
        verification,
    )
}
"""Every record type by its collection."""
