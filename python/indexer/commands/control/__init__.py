"""`indexer pause`, `resume` and `rate`: what is asked of running instances stands in PostgreSQL (docs/operating.md)."""
