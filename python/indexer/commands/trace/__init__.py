"""`indexer trace`: what happened to a record or an account (docs/operating.md)."""
