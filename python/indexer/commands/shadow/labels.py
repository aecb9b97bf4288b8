"""Labels: each is a row by itself, and the newest of a key is the row."""

from collections.abc import Iterable, Sequence

from indexer.commands.shadow.comparing import CHANGED, NOT_YET, Compared
from indexer.commands.shadow.judging import DIFFERENCE
from indexer.commands.shadow.rows import Difference
from indexer.commands.shadow.staging import Layout, pool_of, stage
from indexer.connections.database import Connection
from indexer.sink.dead_letter import DeadLetter
from indexer.sink.halving import Entry
from indexer.sink.labels import Label, LabelSink

Key = tuple[str, ...]
_COLUMNS = ("neg", "cts", "exp")


class LabelHistory:
    """The newest label of each key that was read so far."""

    def __init__(self) -> None:
        self._newest: dict[Key, Label] = {}

    def window(self, entries: Sequence[Entry[list[Label]]]) -> list[Entry[list[Label]]]:
        """These entries, after what came earlier under their keys."""
        keys = {label[:4] for entry in entries for label in entry.event}
        earlier = [self._newest[key] for key in sorted(keys) if key in self._newest]
        for entry in entries:
            for label in entry.event:
                known = self._newest.setdefault(label[:4], label)
                if known[5] < label[5]:
                    self._newest[label[:4]] = label
        return [Entry("0-0", b"", earlier), *entries] if earlier else list(entries)


async def compare_labels(
    connection: Connection,
    layout: Layout,
    stream: str,
    entries: Sequence[Entry[list[Label]]],
    letters: Sequence[DeadLetter],
    waiting: Iterable[list[Label]],
) -> Compared:
    """As `compare_window`, for labels."""
    result = Compared(dead=len(letters))
    not_yet = {label[:4] for labels in waiting for label in labels}
    async with stage(connection, layout):
        sink = LabelSink(pool_of(connection), layout.staged, stream, 1, None, 0)
        outcome = await sink.commit(entries, ())
        result.dead += len(outcome.dead)
        rows = await connection.fetch(
            f"""SELECT o.src, o.uri, o.cid, o.val, o.neg, o.cts, o.exp, t.src IS NOT NULL, t.neg, t.cts, t.exp
            FROM pg_temp.label o LEFT JOIN {layout.name("label")} t
            ON t.src = o.src AND t.uri = o.uri AND t.cid = o.cid AND t.val = o.val"""
        )
    for *columns, is_there, neg, cts, exp in rows:
        key, ours, theirs = tuple(columns[:4]), columns[4:], [neg, cts, exp]
        if key in not_yet:
            result.left_out[NOT_YET] += 1
        elif is_there and cts > ours[1]:
            result.left_out[CHANGED] += 1
        else:
            result.records += 1
            result.judged += [(one, DIFFERENCE) for one in _apart(key, ours, theirs if is_there else None)]
    return result


def _apart(key: Key, ours: list[object], theirs: list[object] | None) -> list[Difference]:
    if theirs is None:
        row = dict(zip(_COLUMNS, ours, strict=True))
        return [Difference("label", "missing row", key[1], key, None, row, None)]
    return [
        Difference("label", "column", key[1], key, name, mine, other)
        for name, mine, other in zip(_COLUMNS, ours, theirs, strict=True)
        if mine != other
    ]
