"""Messages that have no effect, kept for people (interface.md, What becomes of a message)."""

from collections.abc import Sequence
from dataclasses import dataclass

from indexer.connections.database import Connection
from indexer.sink.statements import Statements


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that has no effect, kept with its reason (interface.md)."""

    stream: str
    message_id: str
    cause: str
    fault_class: str
    sqlstate: str | None
    detail: str
    attempts: int
    payload: bytes

    @property
    def reason(self) -> str:
        """The cause as a word of the closed list: without the place behind the colon, `db` for every SQLSTATE."""
        return "db" if self.sqlstate is not None else self.cause.partition(":")[0]


async def insert_dead_letters(connection: Connection, statements: Statements, letters: Sequence[DeadLetter]) -> None:
    """Keep them, in the transaction that is open; one that is kept already keeps its first time."""
    if letters:
        columns = [[getattr(letter, name) for letter in letters] for name in DeadLetter.__dataclass_fields__]
        await connection.execute(statements["insert_dead_letters"], *columns)
