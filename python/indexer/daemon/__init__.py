"""The process: what starts and ends it, what works beside the lanes, what it says of itself. `service.py` runs it."""
