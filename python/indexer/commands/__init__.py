"""The commands beside `run`, each with its flags in `arguments.py`; what flags share is in `flags.py`."""
