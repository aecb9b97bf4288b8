"""`indexer status` and `top`: how far it is, from the two servers alone; no instance need run (docs/operating.md)."""
