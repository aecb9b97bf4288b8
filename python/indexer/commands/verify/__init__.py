"""`verify` looks for rows that do not follow from other rows, `reconcile` mends them.

`checks.py` lists what is looked at; `walk.py` goes over a table in portions; `rebuild.py` writes the
rows of records anew.
"""
