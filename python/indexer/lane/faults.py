"""What Redis refuses, and which of that passes by itself; `sink/faults.py` has the same of PostgreSQL."""

import re

from redis.exceptions import RedisError, ResponseError

REDIS_AWAY = (RedisError, OSError, TimeoutError)
PASSING = (
    "LOADING", "READONLY", "MASTERDOWN", "TRYAGAIN", "CLUSTERDOWN", "OOM", "BUSY", "MISCONF", "NOREPLICAS",
)  # fmt: skip
"""Refusals that end by themselves."""
LOST = ("NOGROUP", "UNBLOCKED")
"""The group is gone, or its stream. A waiting read of Redis before 7.2 is told the second, and one of a server that
becomes a replica.
"""


def refusal(error: ResponseError) -> str:
    """The word that Redis begins an error with.

    The client takes it off the errors that it has classes for, and puts a sentence before those of pipelines.
    """
    if error.status_code is not None:
        return error.status_code
    text = str(error)
    found = re.search(r"caused error: \('([A-Z]+) ", text)
    return found[1] if found else text.partition(" ")[0]
