"""The commands: a module, or a package with its flags in `arguments`; what flags share is in `flags.py`."""
