"""`indexer doctor`: looks for what goes wrong with operators, changes nothing, and says what to do (docs/operating.md).

A check is a small function that yields what it finds; `checks.py` lists them all, a file for each area.
"""
