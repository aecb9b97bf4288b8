"""What an error means for a batch is decided by its SQLSTATE, never by its text."""

import asyncpg
import pytest

from indexer.sink.faults import FaultClass, MovedError, fault_class


class RefusalError(Exception):
    """An error of the server."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__("deadlock detected; could not connect; invalid input syntax")
        self.sqlstate = sqlstate


CLASSES: dict[FaultClass, tuple[str, ...]] = {
    # the server is away, starts, stops, is full, read-only after a fail-over, or has ended a transaction of a process
    # that stood still
    "outage": (
        "08000",
        "08006",
        "25006",
        "25P03",
        "25P04",
        "28000",
        "3D000",
        "53100",
        "53200",
        "53300",
        "57P01",
        "57P02",
        "57P03",
    ),
    # a neighbour, or a limit in time
    "contention": ("40001", "40P01", "55P03", "57014"),
    # the values: NUL, bad jsonb, a null, a duplicate, an index entry that is too long
    "data": ("22021", "22P05", "22P02", "23502", "23505", "54000"),
    # the statement, the schema, the rights; and what nobody foresaw
    "programming": ("42601", "42703", "42P01", "42501", "0A000", "XX000", "P0001", "25P02"),
}


@pytest.mark.parametrize(
    ("sqlstate", "kind"), [(sqlstate, kind) for kind, states in CLASSES.items() for sqlstate in states]
)
def test_sqlstate_decides(sqlstate: str, kind: FaultClass) -> None:
    assert fault_class(RefusalError(sqlstate)) == kind
    assert fault_class(asyncpg.PostgresError.new({"C": sqlstate, "M": "x", "S": "ERROR"})) == kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (MovedError("a neighbour was there"), "contention"),
        (ConnectionResetError(), "outage"),
        (ConnectionRefusedError(), "outage"),
        (TimeoutError(), "outage"),
        (EOFError(), "outage"),
        (asyncpg.InterfaceError("the connection is closed"), "outage"),
        (asyncpg.InternalClientError("cannot switch to state 12; another operation (2) is in progress"), "outage"),
        (asyncpg.ConnectionDoesNotExistError("closed in the middle of operation"), "outage"),
        (KeyError("x"), "programming"),
        (TypeError("40001"), "programming"),
        (AssertionError(), "programming"),
    ],
)
def test_errors_of_this_side(error: Exception, kind: FaultClass) -> None:
    assert fault_class(error) == kind


def test_value_that_the_driver_cannot_send_is_a_data_fault() -> None:
    assert fault_class(asyncpg.DataError("invalid input for query argument $1")) == "data"
