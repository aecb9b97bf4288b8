"""`indexer dlq`: look at dead letters, feed them again, drop them, carry them elsewhere (docs/dead-letters.md)."""
