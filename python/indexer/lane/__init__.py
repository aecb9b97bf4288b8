"""A lane reads one stream: its entries are read, decoded, folded, written and settled. Read `pipeline.py` first."""
