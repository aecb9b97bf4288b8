"""The commands beside `run`: a package each, with its flags in `arguments`; what flags share is in `flags.py`."""
