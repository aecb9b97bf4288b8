"""One window: copy what is around it, run the pipeline on the copies, compare, judge; roll back."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from indexer._native import Event
from indexer.commands.shadow.counts import miscounted, strays
from indexer.commands.shadow.facts import Facts
from indexer.commands.shadow.judging import DIFFERENCE, Judge, Verdict, known, unknowable
from indexer.commands.shadow.rows import Difference, differing, records_differing
from indexer.commands.shadow.staging import Layout, pool_of, stage
from indexer.commands.shadow.surroundings import copy_surroundings
from indexer.commands.shadow.window import Window
from indexer.connections.database import Connection
from indexer.fold import aturi
from indexer.fold.accounts import AccountRules, has_effect
from indexer.fold.notifications import Notifications
from indexer.records.post.gates import POST, POST_GATE, THREAD_GATE
from indexer.sink.commit import Sink
from indexer.sink.dead_letter import DeadLetter

BATCH = 1_000
"""Messages in one of the pipeline's transactions, which are savepoints here."""
OTHER_DELETED = "its account was deleted"
CHANGED = "changed since by a newer message"
NOT_YET = "not yet processed"


@dataclass(slots=True)
class Compared:
    """What one window gave."""

    judged: list[tuple[Difference, Verdict]] = field(default_factory=list)
    records: int = 0
    """Records that were compared."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Records and accounts that were not, by reason."""
    dead: int = 0

    def unknown(self) -> set[tuple[object, ...]]:
        return {one.place for one, verdict in self.judged if verdict == DIFFERENCE}


@dataclass(frozen=True, slots=True)
class Rules:
    """The settings that decide what the incumbent's rows should be."""

    notifications: Notifications
    accounts: AccountRules
    max_attempts: int


async def compare_window(
    connection: Connection,
    layout: Layout,
    stream: str,
    window: Window,
    letters: Sequence[DeadLetter],
    waiting: Sequence[Event],
    rules: Rules,
) -> Compared:
    """Compare what the incumbent made of a window; `waiting` are events that it has not processed."""
    result = Compared(dead=len(letters))
    waiting_uris = {event.uri for event in waiting if event.uri is not None}
    waiting_dids = {event.did for event in waiting}
    async with stage(connection, layout):
        around = await copy_surroundings(connection, layout, window)
        await _run(connection, layout, stream, window, rules, result)
        await connection.execute(
            "SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on; SET LOCAL statement_timeout = '60s';"
            " SET LOCAL idle_in_transaction_session_timeout = '120s'"
        )
        facts = await Facts.read(connection, layout, window, around, letters, waiting_uris)
        chosen = _chosen(facts, result)
        found = await records_differing(connection, layout, chosen)
        found += await _neighbours_differing(connection, layout, facts)
        await facts.read_pairs(connection, layout, _dids_of_gates(found, facts))
        await facts.read_gone(connection, layout, [one.uri for one in found if one.table == "notification"])
        judge = Judge(facts, found)
        result.judged += [(one, judge.verdict(one)) for one in found]
        result.judged += await _commits(connection, layout, facts, judge, waiting_dids, result)
        result.judged += await _statuses(connection, layout, facts, waiting_dids, rules)
        result.judged += [(one, known("DIV-15") if fits else DIFFERENCE) for one, fits in
                          await miscounted(connection, layout, window, result.left_out)]  # fmt: skip
        result.judged += [(one, DIFFERENCE) for one in await strays(connection, layout, window, result.left_out)]
    return result


async def _run(
    connection: Connection, layout: Layout, stream: str, window: Window, rules: Rules, result: Compared
) -> None:
    """The product's own sink: fold, rows, and the second run. Counters are compared by what they count instead."""
    sink = Sink(
        pool_of(connection),
        layout.staged,
        stream,
        rules.notifications,
        "off",
        rules.max_attempts,
        rules=rules.accounts,
    )
    for first in range(0, len(window.entries), BATCH):
        outcome = await sink.commit(window.entries[first : first + BATCH], ())
        result.dead += len(outcome.dead)


def _chosen(facts: Facts, result: Compared) -> set[str]:
    """The records that can be compared."""
    chosen: set[str] = set()
    there = {aturi.authority(uri) for uri in facts.theirs if uri in facts.window.told}
    gone = facts.window.deleted_accounts() - there
    for uri in facts.window.told:
        ours, theirs = facts.ours.get(uri), facts.theirs.get(uri)
        if uri in facts.unprocessed:
            result.left_out[NOT_YET] += 1
        elif aturi.authority(uri) in gone:
            result.left_out[OTHER_DELETED] += 1
        elif theirs is not None and ours is not None and theirs.rev > ours.rev:
            result.left_out[CHANGED] += 1
        else:
            chosen.add(uri)
    result.records += len(chosen)
    return chosen


async def _neighbours_differing(connection: Connection, layout: Layout, facts: Facts) -> list[Difference]:
    """Rows of other records that the window decides: what hangs on its posts, flags that gates and parents set."""
    around, own = facts.around, facts.window.told.keys()
    found: list[Difference] = []
    hanging = around.hanging - own
    for table, column in (("feed_item", "postUri"), ("quote", "subject")):
        found += await differing(connection, layout, table, "uri", ["uri", column], hanging)
    gated = {
        aturi.parse(uri).sibling(POST)
        for uri in own
        if aturi.parse(uri).collection in (THREAD_GATE, POST_GATE) and uri not in facts.unprocessed
    } - own
    found += await differing(connection, layout, "post", "uri", ["hasThreadGate", "hasPostGate"], gated)
    found += await differing(connection, layout, "post", "uri", ["invalidReplyRoot"], around.below - own)
    return found


def _dids_of_gates(found: Sequence[Difference], facts: Facts) -> set[str]:
    dids: set[str] = set()
    for one in found:
        if one.column == "violatesThreadGate" or (one.table == "notification" and "/app.bsky.feed.post/" in one.uri):
            dids.update(aturi.authority(uri) for uri in (one.uri, *facts.neighbours(one.uri)))
    return dids


async def _commits(
    connection: Connection, layout: Layout, facts: Facts, judge: Judge, waiting: set[str], result: Compared
) -> list[tuple[Difference, Verdict]]:
    """`actor_sync`: the newest commit of each repository."""
    rows = await connection.fetch('SELECT did, "repoRev" FROM pg_temp.actor_sync')
    ours = {row[0]: row[1] for row in rows}
    rows = await connection.fetch(
        f'SELECT did, "repoRev" FROM {layout.name("actor_sync")} WHERE did = ANY($1::text[])', sorted(ours)
    )
    newer = {did for did, rev in rows if rev > ours[did]}
    result.left_out[CHANGED] += len(newer)
    newer |= waiting
    spoiled = {aturi.authority(uri) for uri in facts.window.told if judge.is_spoiled(uri)}
    found = await differing(connection, layout, "actor_sync", "did", ["commitCid", "repoRev"], ours.keys() - newer)
    return [
        (one, known("refused") if one.uri in facts.refused else known("NUL") if one.uri in spoiled else DIFFERENCE)
        for one in found
    ]


async def _statuses(
    connection: Connection, layout: Layout, facts: Facts, waiting: set[str], rules: Rules
) -> list[tuple[Difference, Verdict]]:
    """`actor."upstreamStatus"` of accounts with events. Handles are looked up: nobody can derive them."""
    window = facts.window
    dids = {
        did
        for did, told in window.statuses.items()
        if did not in waiting and any(has_effect(one.event, rules.accounts) for one in told)
    }
    judged: list[tuple[Difference, Verdict]] = []
    for one in await differing(connection, layout, "actor", "did", ["upstreamStatus"], dids):
        told = window.statuses[one.uri]
        if one.kind == "surplus row" or one.uri in window.deleted_accounts():
            judged.append((one, unknowable(OTHER_DELETED)))
        elif (one.kind == "missing row" or one.theirs is None) and not window.had_actor(one.uri, told):
            judged.append((one, known("DIV-9")))
        else:
            judged.append((one, known("refused") if one.uri in facts.refused else DIFFERENCE))
    return judged
