"""What an error of PostgreSQL means for a batch, decided by SQLSTATE and never by text.

| class | SQLSTATE | then |
|---|---|---|
| outage | 08, 25006, 25P03, 25P04, 28, 3D, 53, 57 (but 57014), 58; lost connections, time-outs | wait for ever |
| contention | 40, 55P03, 55006, 57014 | roll back, try again |
| data | 22, 23, 44, 54 | halve until one message is alone, then a dead letter |
| programming | 42 and all others | halt the lane, acknowledge nothing |
"""

from typing import Literal

from indexer.connections.database import LOST_CONNECTION

FaultClass = Literal["outage", "contention", "data", "programming"]

_OUTAGE = ("08", "25006", "25P03", "25P04", "28", "3D", "53", "57", "58")
_CONTENTION = ("40", "55P03", "55006", "57014")
_DATA = ("22", "23", "44", "54")


class MovedError(Exception):
    """A neighbour changed a row between our reading and our writing."""


def fault_class(error: BaseException) -> FaultClass:
    """The class of an error raised while a batch was written."""
    if isinstance(error, MovedError):
        return "contention"
    sqlstate = sqlstate_of(error)
    if sqlstate is not None:
        if sqlstate.startswith(_CONTENTION):
            return "contention"
        if sqlstate.startswith(_DATA):
            return "data"
        return "outage" if sqlstate.startswith(_OUTAGE) else "programming"
    if isinstance(error, LOST_CONNECTION):
        return "outage"
    return "programming"


def sqlstate_of(error: BaseException) -> str | None:
    """The SQLSTATE of an error of the server, or of the driver about a value that it cannot send."""
    sqlstate = getattr(error, "sqlstate", None)
    return sqlstate if isinstance(sqlstate, str) else None
