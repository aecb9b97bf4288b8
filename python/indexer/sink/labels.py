"""One batch of labels, one statement (actors.md 5)."""

import time
from collections.abc import Iterable, Sequence

from indexer.connections.database import rolled_back_on_error
from indexer.sink.dead_letter import DeadLetter, insert_dead_letters
from indexer.sink.halving import Entry, HalvingSink, Outcome

Label = tuple[str, str, str, str, bool, str, str | None]
"""`src`, `uri`, `cid`, `val`, `neg`, `cts`, `exp`: the columns of its row, the first four of them the key."""


class LabelSink(HalvingSink[list[Label]]):
    """Where batches of labels become rows."""

    async def _transaction(
        self, entries: Sequence[Entry[list[Label]]], letters: Sequence[DeadLetter], outcome: Outcome, *, careful: bool
    ) -> None:
        began = time.perf_counter()
        labels = newest(label for entry in entries for label in entry.event)
        folded = time.perf_counter()
        inserted = updated = 0
        async with self._connection() as connection, rolled_back_on_error(connection):
            await connection.execute(self._statements["begin"])
            if labels:
                columns = (list(column) for column in zip(*labels, strict=True))
                ((inserted, updated),) = await connection.fetch(self._statements["upsert_labels"], *columns)
            await insert_dead_letters(connection, self._statements, letters)
            await connection.execute("COMMIT")
        outcome.transactions += 1
        outcome.indexed += len(entries)
        outcome.rows.update({("label", "insert"): inserted, ("label", "update"): updated})
        outcome.seconds["fold"] += folded - began
        outcome.seconds["write"] += time.perf_counter() - folded


def newest(labels: Iterable[Label]) -> list[Label]:
    """What labels applied one by one leave: of each key the greatest `cts`, as text, of equal ones the first.

    Sorted by key, so that our instances never wait for each other in a circle.
    """
    kept: dict[tuple[str, str, str, str], Label] = {}
    for label in labels:
        src, uri, cid, val, _, cts, _ = label
        known = kept.setdefault((src, uri, cid, val), label)
        if known[5] < cts:  # by code points, which is COLLATE "C"
            kept[src, uri, cid, val] = label
    return sorted(kept.values())
