"""A snapshot as lines for people, and as one JSON document."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from indexer.commands.control.commands import described
from indexer.commands.status.estimates import Empty
from indexer.commands.status.watch import Snapshot, StreamState
from indexer.wording import printable, quantity

MOST_DETAIL = 160
MOST_CONSUMERS = 30


def lines(found: Snapshot) -> Iterator[str]:
    """Everything, a part after the other."""
    for fault in found.away:
        yield from str(fault).splitlines()
        yield ""
    if found.streams:
        yield f"{found.at:%Y-%m-%dT%H:%M:%SZ}" + (f", rates of {found.measured_s:.0f} s" if found.measured_s else "")
        yield from table(_stream_rows(found.streams), left=(0,))
        yield ""
        yield from table(_consumer_rows(found.streams), left=(0, 3))
        yield ""
    yield from _facts(found)
    for note in found.notes:
        yield f"note: {note}"


def table(rows: Sequence[Sequence[str]], left: Sequence[int]) -> Iterator[str]:
    """Rows with aligned columns; those named are aligned to the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        yield "  ".join(cells).rstrip()


def _stream_rows(streams: Sequence[StreamState]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [
        ("stream", "length", "undelivered", "pending", "oldest", "in/s", "out/s", "empty in")
    ]
    for one in streams:
        about = "" if one.queue.is_exact else "~"
        rows.append(
            (
                printable(one.queue.group.stream),
                f"{one.queue.length:,}",
                f"{about}{one.queue.undelivered:,}",
                f"{one.queue.pending:,}",
                duration(one.oldest_s),
                rate(one.rates.into),
                rate(one.rates.out),
                empty_text(one.empty),
            )
        )
    return rows


def _consumer_rows(streams: Sequence[StreamState]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [("consumer", "pending", "idle", "looks like")]
    for one in streams:
        group = one.queue.group
        state = "" if one.queue.has_group else ": not there"
        others = f"; other groups: {', '.join(one.queue.other_groups)}" if one.queue.other_groups else ""
        rows.append((printable(f"{group.stream}, group {group.name}{state}{others}"), "", "", ""))
        shown = one.consumers[:MOST_CONSUMERS]
        for each in shown:
            name = f"  {printable(each.name)}"
            rows.append((name, f"{each.pending:,}", duration(each.idle_s), each.implementation))
        if rest := one.consumers[MOST_CONSUMERS:]:
            rows.append((f"  ({len(rest)} more)", f"{sum(each.pending for each in rest):,}", "", ""))
    return rows


def _facts(found: Snapshot) -> Iterator[str]:
    if memory := found.memory:
        limit = f"{size(memory.most)}, policy {memory.policy}" if memory.most else "memory without a limit"
        when = ""
        if memory.most:
            when = "; does not fill up now" if found.full_s is None else f"; full in {duration(found.full_s)}"
        yield f"Redis         {size(memory.used)} of {limit}{when}"
    ledger = found.ledger
    if letters := ledger.letters:
        yield f"dead letters  {letters.total:,}"
        for cause, number in letters.causes.items():
            yield f"  {number:>10,}  {printable(cause)}"
    if ledger.handles is not None:
        yield f"look-ups      {quantity(ledger.handles, 'handle waits', 'handles wait')}"
        yield f"removals      {quantity(ledger.deletions or 0, 'account waits', 'accounts wait')}"
        yield f"counters      {quantity(ledger.dirty or 0, 'mark waits', 'marks wait')} to be counted"
    for number_, each in enumerate(ledger.instances or ()):
        yield f"{'' if number_ else 'instances':<14}{printable(each.consumer)}: {described(each)}"
    if ledger.most_sessions is not None:
        yield f"connections   {sum(ledger.sessions.values()):,} of {ledger.most_sessions:,}"
        for application, number in ledger.sessions.items():
            yield f"  {number:>10,}  {printable(application)}"
    if found.instance.ready is None:
        yield f"instance      none answers at {found.instance.address}"
    else:
        yield f"instance      {found.instance.address} is {'ready' if found.instance.ready else 'not ready'}"
    if error := last_error(found):
        yield f"last error    {error}"


def last_error(found: Snapshot) -> str | None:
    """What the instance says is wrong now, else the newest dead letter."""
    if found.instance.reasons:
        return printable("; ".join(found.instance.reasons))
    letters = found.ledger.letters
    if letters is None or letters.newest is None or letters.newest_at is None:
        return None
    newest = printable(letters.newest)
    cut = newest if len(newest) <= MOST_DETAIL else f"{newest[:MOST_DETAIL]}…"
    return f"dead letter of {letters.newest_at:%Y-%m-%dT%H:%M:%SZ}, {cut}"


def document(found: Snapshot) -> str:
    """What `fields` has, for programs."""
    return json.dumps(fields(found), indent=2)


def fields(found: Snapshot) -> dict[str, Any]:
    """Times in seconds, sizes in bytes; null: not known."""
    ledger, memory = found.ledger, found.memory
    return {
        "at": found.at.isoformat(),
        "measured_s": round(found.measured_s, 3),
        "streams": [_stream_fields(one) for one in found.streams],
        "redis": {
            "used_bytes": memory.used if memory else None,
            "max_bytes": (memory.most or None) if memory else None,
            "policy": memory.policy if memory else None,
            "full_in_s": found.full_s,
        },
        "dead_letters": ledger.letters.total if ledger.letters else None,
        "dead_letters_by_cause": dict(ledger.letters.causes) if ledger.letters else None,
        "handle_backlog": ledger.handles,
        "account_deletions": ledger.deletions,
        "dirty_counts": ledger.dirty,
        "instances": None
        if ledger.instances is None
        else [
            {
                "consumer": each.consumer,
                "lives": each.lives,
                "state": each.state,
                "paused": each.paused,
                "rate": each.rate_now,
            }
            for each in ledger.instances
        ],
        "connections": dict(ledger.sessions),
        "max_connections": ledger.most_sessions,
        "instance": {"address": found.instance.address, "ready": found.instance.ready},
        "last_error": last_error(found),
        "notes": found.notes,
        "away": [{"what": fault.what, "cause": fault.cause, "remedy": fault.remedy} for fault in found.away],
    }


def _stream_fields(one: StreamState) -> dict[str, Any]:
    queue = one.queue
    return {
        "stream": queue.group.stream,
        "group": queue.group.name,
        "group_exists": queue.has_group,
        "other_groups": queue.other_groups,
        "length": queue.length,
        "undelivered": queue.undelivered,
        "undelivered_is_exact": queue.is_exact,
        "pending": queue.pending,
        "oldest_s": one.oldest_s,
        "oldest_pending_s": one.oldest_pending_s,
        "in_per_s": one.rates.into,
        "out_per_s": one.rates.out,
        "empty_in_s": one.empty.seconds,
        "empty_in_least_s": one.empty.least,
        "empty_in_most_s": one.empty.most,
        "consumers": [
            {"name": each.name, "pending": each.pending, "idle_s": each.idle_s, "looks_like": each.implementation}
            for each in one.consumers
        ],
    }


def empty_text(empty: Empty) -> str:
    """When a stream is empty, with its range."""
    if empty.seconds == 0:
        return "empty"
    if empty.seconds is None:
        return "not now" if empty.least is None else f"not now, at best {duration(empty.least)}"
    if empty.least is None or empty.least == empty.most:
        return duration(empty.seconds)
    most = duration(empty.most) if empty.most is not None else "never"
    return f"{duration(empty.seconds)} ({duration(empty.least)} to {most})"


def duration(seconds: float | None) -> str:
    """Two units at most; short enough for a column."""
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    hours = round(seconds / 3600)
    return f"{hours} h" if hours < 48 else f"{round(seconds / 86_400):,} d"


def size(number: int) -> str:
    """Bytes for people."""
    if number < 1024:
        return f"{number} B"
    value = float(number)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def rate(number: float | None) -> str:
    """Entries a second."""
    if number is None:
        return "-"
    return f"{number:,.0f}" if number >= 10 or number == 0 else f"{number:.1f}"
