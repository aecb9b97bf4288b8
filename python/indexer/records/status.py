"""app.bsky.actor.status: nothing but the `record` row (records.md 5.11)."""

from indexer.fold.record_type import RecordType

RECORD = RecordType("app.bsky.actor.status")
