"""All checks, in the order in which they are made: counters last, since mending rows moves them."""

from collections.abc import Iterator

from indexer.commands.verify import aggregates, commits, duplicates, gates, notifications, records, threads
from indexer.commands.verify.finding import ALIASES, Check


def all_checks() -> Iterator[Check]:
    """A fresh one of each."""
    for area in (records, duplicates, gates, threads, commits, notifications, aggregates):
        yield from area.checks()


def words() -> list[str]:
    """What `--only` knows: classes, tables, and words for several."""
    kinds = {kind for check in all_checks() for kind in check.kinds}
    return sorted({*kinds, *(kind.partition(".")[0] for kind in kinds), *ALIASES})
