"""`indexer shadow`: run the pipeline beside another indexer and compare rows (docs/shadow.md)."""
