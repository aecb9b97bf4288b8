"""What was found, by class, with examples: as lines and as a document."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from indexer.commands.shadow.comparing import Compared
from indexer.commands.shadow.judging import KNOWN, Verdict
from indexer.commands.shadow.rows import Difference
from indexer.terminal import readable
from indexer.wording import quantity

LONGEST = 160
"""Letters of a value that are shown."""
Class = tuple[str, str, str | None]


@dataclass(slots=True)
class StreamResult:
    """One stream's differences, by window."""

    stream: str
    windows: list[list[tuple[Difference, Verdict]]] = field(default_factory=list)
    touched: dict[str, int] = field(default_factory=dict)
    """Record or account to the last window with a message of it: that one compared it with all its messages."""
    read: int = 0
    records: int = 0
    dead: int = 0
    left: int = 0
    """Entries that are in the stream and were not read."""
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, found: Compared, touched: set[str]) -> None:
        self.touched.update(dict.fromkeys(touched, len(self.windows)))
        self.windows.append(found.judged)
        self.records += found.records
        self.dead += found.dead
        self.left_out += found.left_out

    def judged(self) -> Iterator[tuple[Difference, Verdict]]:
        """Each once, as the last window found it that had a message of its record."""
        seen: dict[tuple[object, ...], tuple[Difference, Verdict]] = {}
        for number, window in enumerate(self.windows):
            for one, verdict in window:
                if self.touched.get(one.uri, number) <= number:
                    seen[one.place] = one, verdict
        yield from seen.values()


@dataclass(slots=True)
class Report:
    """Everything that was found."""

    examples: int
    differences: defaultdict[Class, list[Difference]] = field(default_factory=lambda: defaultdict(list))
    known: defaultdict[tuple[str, str, str, str | None], list[Difference]] = field(
        default_factory=lambda: defaultdict(list)
    )
    left_out: Counter[str] = field(default_factory=Counter)
    streams: list[StreamResult] = field(default_factory=list)

    @classmethod
    def of(cls, streams: list[StreamResult], examples: int) -> "Report":
        self = cls(examples, streams=streams)
        for stream in streams:
            self.left_out += stream.left_out
            elsewhere = set[str]().union(*(one.touched for one in streams if one is not stream))
            for one, verdict in stream.judged():
                if verdict.is_ == "known":
                    self.known[verdict.why, one.table, one.kind, one.column].append(one)
                elif verdict.is_ == "unknowable":
                    self.left_out[verdict.why] += 1
                elif one.uri in elsewhere and one.table not in ("record", "label"):
                    self.left_out["its messages came in two streams, nobody knows in which order"] += 1
                else:
                    self.differences[one.table, one.kind, one.column].append(one)
        return self

    @property
    def found(self) -> int:
        return sum(len(some) for some in self.differences.values())

    def lines(self) -> Iterator[str]:
        for stream in self.streams:
            dead = quantity(stream.dead, "message that would be a dead letter", "messages that would be dead letters")
            yield (
                f"{stream.stream}: {quantity(stream.read, 'message')} read"
                f", {quantity(stream.records, 'record')} compared"
                + (f", {dead}" if stream.dead else "")
                + (f"; {stream.left:,} more in the stream (--count, --from)" if stream.left else "")
            )
        yield ""
        yield "DIFFERENCES" if self.differences else "DIFFERENCES: none"
        for (table, kind, column), some in sorted(self.differences.items(), key=str):
            yield f"  {len(some):,} × {_class(table, kind, column)}"
            yield from self._shown(some)
        if ("notification", "missing row", None) in self.differences:
            yield "  (the TypeScript indexer tells of updates only: is it that one, give --notifications updates)"
        if self.known:
            yield ""
            yield "KNOWN TO DIFFER (docs/shadow.md)"
            names = Counter({name: 0 for name, *_ in self.known})
            for (name, *_), some in self.known.items():
                names[name] += len(some)
            for name, number in sorted(names.items(), key=lambda pair: _order(pair[0])):
                yield f"  {name}: {KNOWN[name]}: {number:,}"
                for (other, table, kind, column), some in sorted(self.known.items(), key=str):
                    if other == name:
                        yield f"    {len(some):,} × {_class(table, kind, column)}: {some[0].uri}"
        if self.left_out:
            yield ""
            yield "NOT COMPARED"
            for reason, number in self.left_out.most_common():
                yield f"  {number:,} × {reason}"

    def _shown(self, some: list[Difference]) -> Iterator[str]:
        for one in some[: self.examples]:
            yield f"      {' '.join(one.key)}"
            theirs, ours = _apart(one.theirs, one.ours)
            yield f"        theirs: {theirs}"
            yield f"        ours:   {ours}"
        if len(some) > self.examples:
            yield f"      … and {len(some) - self.examples:,} more"

    def document(self) -> str:
        return orjson.dumps(
            {
                "found": self.found,
                "differences": [
                    {
                        "table": table,
                        "kind": kind,
                        "column": column,
                        "number": len(some),
                        "examples": self._as_json(some),
                    }
                    for (table, kind, column), some in sorted(self.differences.items(), key=str)
                ],
                "known": [
                    {
                        "name": name,
                        "means": KNOWN[name],
                        "table": table,
                        "kind": kind,
                        "column": column,
                        "number": len(some),
                        "examples": self._as_json(some),
                    }
                    for (name, table, kind, column), some in sorted(self.known.items(), key=str)
                ],
                "not_compared": dict(self.left_out),
                "streams": [
                    {
                        "stream": one.stream,
                        "read": one.read,
                        "records": one.records,
                        "dead_letters": one.dead,
                        "not_read": one.left,
                    }
                    for one in self.streams
                ],
            },
            option=orjson.OPT_INDENT_2,
        ).decode()

    def _as_json(self, some: list[Difference]) -> list[dict[str, Any]]:
        return [
            {"key": list(one.key), "uri": one.uri, "theirs": one.theirs, "ours": one.ours}
            for one in some[: self.examples]
        ]


def _class(table: str, kind: str, column: str | None) -> str:
    return f"{table}: {kind}" + (f" {column}" if column else "")


def _apart(theirs: Any, ours: Any) -> tuple[str, str]:
    """Both on one line, from about where they part; what looks the same is shown with its escapes."""
    one, other = _text(theirs), _text(ours)
    if one == other:
        one, other = ascii(theirs), ascii(ours)
    same = (
        next((n for n, pair in enumerate(zip(one, other, strict=False)) if len(set(pair)) > 1), 0)
        if theirs is not None and ours is not None
        else 0
    )
    start = max(0, same - LONGEST // 2)
    return _cut(one, start), _cut(other, start)


def _text(value: Any) -> str:
    if value is None:
        return "nothing"
    return readable(value if isinstance(value, str) else orjson.dumps(value).decode())


def _cut(text: str, start: int) -> str:
    part = text[start : start + LONGEST]
    return f"{'…' if start else ''}{part}{'…' if len(text) > start + LONGEST else ''}"


def _order(name: str) -> tuple[int, str]:
    number = name.removeprefix("DIV-")
    return (int(number), "") if number.isdigit() else (99, name)
