"""What is wanted of the figures: a bar for each, what the reference does, and why a bar that is missed is missed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """One measure. Where `at_least` is false, less is better."""

    measure: str
    """With its unit."""
    bar: float
    dream: float | None = None
    reference: str = ""
    """The TypeScript indexer, or what people use today."""
    at_least: bool = False
    if_missed: str = ""
    """Why it is where it is, and what would be needed."""

    def is_met(self, value: float) -> bool:
        return value >= self.bar if self.at_least else value <= self.bar


SPLIT = (
    "two cores are shared by three processes: the rate is what the processor times of ours and of PostgreSQL leave; "
    "on a machine with a core for each it grows"
)
BARS = {
    "floor": Bar("messages a second, part of the floor", 0.45, 0.7, "0.025", at_least=True, if_missed=SPLIT),
    "cpu": Bar(
        "processor time of the daemon, µs a message",
        60,
        30,
        "1,475",
        if_missed="it is interpreter time without a peak (DESIGN.md, Where the time goes), and in proportion to the "
        "machine: compare with the floor beside it, which was 26,000 messages a second where the bar was set. Needed: "
        "a faster core or a newer Python; or rows shaped in Rust, out of the files that people change",
    ),
    "postgres": Bar(
        "processor time of PostgreSQL, µs a message",
        90,
        60,
        "1,545",
        if_missed="most of it is the floor (heap, indexes, log), which is a matter of the machine; the rest is derived "
        "state: counters, duplicates, gates",
    ),
    "memory": Bar(
        "peak resident memory, 1,600,000 messages, MiB",
        160,
        100,
        "340 MB on 30,000",
        if_missed="look at the size of batches and of the pool",
    ),
    "backfill": Bar("backfill: messages a second, part of its floor", 0.5, 0.8, at_least=True, if_missed=SPLIT),
    "hot": Bar(
        "likes of one post with 1,000,000 likes, part of the rate of spread ones",
        0.9,
        1.0,
        "grows with the count",
        at_least=True,
        if_missed="something reads or locks in proportion to the count: see the plans of its statements",
    ),
    "size": Bar(
        "rate at 5,000,000 rows, part of that at 100,000",
        0.8,
        0.95,
        at_least=True,
        if_missed="new keys lie anywhere in the indexes, which make two gigabytes at that size: the caches of the "
        "server hold less of them (what COPY itself loses stands in its section), pages are written to the log as a "
        "whole after a checkpoint, and autovacuum takes a core now and then; our own processor time stays (DESIGN.md, "
        "Where the time goes). Needed: `shared_buffers` that hold the indexes, fewer checkpoints, and a third core",
    ),
    "latency": Bar(
        "live event to committed row beside a backlog of 200,000, 99th percentile, ms",
        500,
        150,
        "hours",
        if_missed="the machine was busy, or batches of the backlog take too long: smaller ones wait less",
    ),
    "instances": Bar(
        "two instances, part of the rate of one",
        0.95,
        at_least=True,
        if_missed="they wait for each other's rows, or for a third core",
    ),
    "start": Bar("start to the first committed row, warm, s", 1, if_missed="imports, or a busy machine"),
    "help": Bar("`--help`, s", 0.3, if_missed="imports, or a busy machine: a bare interpreter takes a third of it"),
    "poison": Bar(
        "1 % of poison, part of the rate without",
        0.95,
        at_least=True,
        if_missed="what PostgreSQL refuses takes its whole batch along, which is then cut into smaller ones to find it",
    ),
    "frames": Bar(
        "decode_frames, 4 kB, verified, µs",
        15,
        8,
        "libipld 23.5",
        if_missed="a slower machine: compare with the peers beside it",
    ),
    "records": Bar(
        "dag_cbor_to_json, 633 B, µs",
        1.7,
        reference="libipld 1.7, half of it",
        if_missed="a slower machine: compare with the peers beside it",
    ),
    "events": Bar(
        "decode_events, 1.1 kB, µs",
        6,
        3,
        "orjson 3.1, less work",
        if_missed="twice the time of orjson beside it is the bar's proportion; words of eight bytes, which bound the "
        "memory to eight times the payload, cost a tenth of it",
    ),
}

Found = Mapping[str, tuple[float, str]]
"""By key of `BARS`, what was measured, and when."""


def rows(found: Found) -> Iterator[tuple[str, ...]]:
    """Measure, reference, dream, bar, result, verdict; in the order of `BARS`."""
    for key, bar in BARS.items():
        value, at = found.get(key, (None, ""))
        relation = "≥" if bar.at_least else "≤"
        dream = f"{bar.dream:g}" if bar.dream is not None else ""
        result = "" if value is None else f"{value:.3g}"
        verdict = "not measured" if value is None else "met" if bar.is_met(value) else "missed"
        yield bar.measure, bar.reference, dream, f"{relation} {bar.bar:g}", result, verdict, at[:10]


HEADS = ("measure", "reference", "dream", "bar", "result", "", "measured")


def missed(found: Found) -> Iterator[tuple[str, str]]:
    """Measure, and why its bar is missed."""
    for key, bar in BARS.items():
        if key in found and not bar.is_met(found[key][0]):
            yield bar.measure, bar.if_missed


def lines(found: Found) -> Iterable[str]:
    """The table for a terminal, and below it why bars are missed."""
    table = [HEADS, *rows(found)]
    widths = [max(len(row[place]) for row in table) for place in range(len(HEADS))]
    for row in table:
        yield "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
    for measure, why in missed(found):
        yield f"\nmissed: {measure}\n  {why}"
