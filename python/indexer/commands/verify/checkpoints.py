"""`indexer.reconcile`: how far a run is. Each portion that is done is noted: whatever ends a run, the next goes on."""

import json
import uuid
from collections import Counter
from dataclasses import dataclass, field

from indexer.commands.verify.statements import VerifyStatements
from indexer.connections.database import Pool, transaction
from indexer.errors import StoppedEarlyError


@dataclass(slots=True)
class Pass:
    """How far one check is."""

    name: str
    seed: int
    position: str | None = None
    keys: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    done: bool = False


class Checkpoints:
    """The passes of one task: of what was asked for."""

    def __init__(self, pool: Pool, statements: VerifyStatements, task: str) -> None:
        self._pool = pool
        self._statements = statements
        self._task = task
        self._owner = uuid.uuid4()

    async def take(self, *, restart: bool) -> dict[str, Pass]:
        """What a run that was broken off left, by name; with `restart` it is forgotten."""
        async with transaction(self._pool, self._statements["begin"]) as connection:
            if restart:
                await connection.execute(self._statements["drop_task"], self._task)
            rows = await connection.fetch(self._statements["take_task"], self._task, self._owner)
        return {
            name: Pass(name, seed, position, keys, Counter(json.loads(changed)), done)
            for name, seed, position, keys, changed, done in rows
        }

    async def begin(self, one: Pass) -> None:
        """Write a pass down before it begins."""
        async with transaction(self._pool, self._statements["begin"]) as connection:
            await connection.execute(self._statements["begin_pass"], self._task, one.name, self._owner, one.seed)

    async def note(self, one: Pass) -> None:
        """A portion is done. StoppedEarlyError where another run has taken the task."""
        values = (one.position, one.keys, json.dumps(one.changed), one.done)
        async with transaction(self._pool, self._statements["begin"]) as connection:
            done = await connection.execute(self._statements["move_pass"], self._task, one.name, self._owner, *values)
        if done != "UPDATE 1":
            raise StoppedEarlyError(
                "another `reconcile` with the same flags has begun",
                "two of them would do everything twice; the newer one goes on where this one was",
                "let that one finish, or stop it and run this again",
            )

    async def finish(self) -> None:
        """All is done: the next run begins anew."""
        async with transaction(self._pool, self._statements["begin"]) as connection:
            await connection.execute(self._statements["drop_task"], self._task)
