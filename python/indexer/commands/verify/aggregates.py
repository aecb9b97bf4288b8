"""Counters against the rows that they count (records.md 8, DIV-15)."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from indexer.commands.verify.finding import Check, Finding, Look
from indexer.fold.record_type import Table
from indexer.sink.counts import COLUMNS
from indexer.sink.statements import AGGREGATE_KEYS
from indexer.sink.tables import TABLES

if TYPE_CHECKING:
    from indexer.commands.verify.mend import Mend

DIV_15 = "DIV-15: the reference counts the quotes of one version of the post, and forgets to when the post is renewed"


def checks() -> Iterator[Check]:
    """Rows that nobody counted yet, by the tables that are counted; then the counters that there are."""
    for table in TABLES:
        if table.counters:
            kinds = tuple(f"{counter.aggregate}.{counter.column}" for counter in table.counters)
            yield Check(table.name, table.owner, kinds, partial(_uncounted, table), _recount, f"{table.name}.counted")
    for aggregate, columns in COLUMNS.items():
        kinds = tuple(f"{aggregate}.{column}" for column in columns)
        yield Check(aggregate, AGGREGATE_KEYS[aggregate], kinds, partial(wrong, aggregate), _recount, aggregate)


async def wrong(
    aggregate: str, look: Look, keys: Sequence[str], counters: Sequence[str] | None = None, at: str | None = None
) -> list[Finding]:
    """Counters of these keys that differ from the count of their rows."""
    names = counters or COLUMNS[aggregate]
    rows = await look.connection.fetch(look.statements.wrong_counters(aggregate, names), keys)
    found = []
    for key, *pairs in rows:
        for name, value, count in zip(names, pairs[::2], pairs[1::2], strict=True):
            if value != count:
                found.append(Finding(f"{aggregate}.{name}", key, at or key, f"is {value}, counted {count}"))
    quotes = [finding.key for finding in found if finding.kind == "post_agg.quoteCount"]
    return await _known_quotes(look, found, quotes) if quotes else found


async def _known_quotes(look: Look, found: list[Finding], uris: list[str]) -> list[Finding]:
    """Mark those counts of quotes that the reference leaves."""
    by_cid: defaultdict[str, set[int]] = defaultdict(set)
    for subject, _, count in await look.fetch("quotes_by_cid", uris):
        by_cid[subject].add(count)
    standing = dict(await look.fetch("posts_that_stand", uris))
    return [
        Finding(one.kind, one.key, one.at, one.detail, DIV_15)
        if one.kind == "post_agg.quoteCount" and _is_of_reference(one, by_cid.get(one.key, set()), standing)
        else one
        for one in found
    ]


def _is_of_reference(finding: Finding, by_cid: set[int], standing: dict[str, str]) -> bool:
    """The count of one version of several, or one that stayed when the post, and with it its quotes, went."""
    value = int(finding.detail.split()[1].rstrip(","))
    several = len(by_cid) > 1 and value in by_cid
    return several or (finding.key not in standing and not by_cid)


async def _uncounted(table: Table, look: Look, uris: Sequence[str]) -> list[Finding]:
    found: list[Finding] = []
    for counter in table.counters:
        sql = look.statements.uncounted(table, counter.by, counter.aggregate)
        at = {key: uri for uri, key in await look.connection.fetch(sql, uris)}
        if at:
            more = await wrong(counter.aggregate, look, sorted(at), (counter.column,))
            found += [Finding(one.kind, one.key, at[one.key], one.detail, one.known) for one in more]
    return found


async def _recount(mend: "Mend", findings: Sequence[Finding]) -> Counter[str]:
    """Marked first, which lasts; then counted as instances do it, under the lock of each counter (sink/recount.py)."""
    await mend.mark({(one.kind.partition(".")[2], one.key) for one in findings})
    return Counter(one.kind for one in findings)
