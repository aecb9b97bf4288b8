"""The removal of deleted accounts: jobs (`jobs.py`), whom to ask and when (`worker.py`), what goes (`account.py`)."""
