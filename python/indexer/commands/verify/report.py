"""What was found, by class, with examples: lines for people, and one JSON document."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from indexer.commands.verify.finding import Finding
from indexer.wording import printable, quantity

REMEMBERED = 200_000


@dataclass(slots=True)
class Group:
    """The findings of one class."""

    count: int = 0
    examples: list[Finding] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """Faults, and what a database that the reference wrote may rightly have."""

    most: int
    """Examples of a class."""
    faults: dict[str, Group] = field(default_factory=dict)
    known: dict[tuple[str, str], Group] = field(default_factory=dict)
    """By class and reason."""
    looked_at: Counter[str] = field(default_factory=Counter)
    """Keys by pass."""
    strict: bool = False
    """Whether nothing is known of a reference."""
    total: int = 0
    _seen: set[tuple[str, str]] = field(default_factory=set)
    """The last of them: what rows of several portions count for is found once with each."""

    def add(self, findings: Iterable[Finding]) -> None:
        for one in findings:
            if (one.kind, one.key) in self._seen:
                continue
            if len(self._seen) >= REMEMBERED:
                self._seen.clear()
            self._seen.add((one.kind, one.key))
            self.total += 1
            group = (
                self.faults.setdefault(one.kind, Group())
                if one.known is None or self.strict
                else self.known.setdefault((one.kind, one.known), Group())
            )
            group.count += 1
            if len(group.examples) < self.most:
                group.examples.append(one)

    def lines(self, notes: Sequence[str]) -> Iterator[str]:
        """For people."""
        for kind, group in sorted(self.faults.items()):
            yield f"{group.count:>9,}  {kind}"
            yield from _examples(group)
        if self.known:
            yield "known differences of a database that the reference wrote, no faults:"
            for (kind, why), group in sorted(self.known.items()):
                yield f"{group.count:>9,}  {kind} ({why})"
                yield from _examples(group)
        for note in notes:
            yield f"note: {printable(note)}"
        faults = sum(group.count for group in self.faults.values())
        known = sum(group.count for group in self.known.values())
        rows = sum(self.looked_at.values())
        found = quantity(faults, "finding") if faults else "nothing wrong"
        beside = f"; {quantity(known, 'known difference')}" if known else ""
        yield f"{found} in {quantity(rows, 'row')} looked at{beside}"

    def document(self, notes: Sequence[str], **more: Any) -> str:
        """For programs."""
        return json.dumps(
            {
                **more,
                "looked_at": dict(self.looked_at),
                "findings": {kind: _fields(group) for kind, group in sorted(self.faults.items())},
                "known": [
                    {"class": kind, "why": why, **_fields(group)} for (kind, why), group in sorted(self.known.items())
                ],
                "notes": list(notes),
            },
            indent=2,
        )


def _examples(group: Group) -> Iterator[str]:
    for one in group.examples:
        yield f"           {printable(one.key)}: {printable(one.detail)}"
    if group.count > len(group.examples) > 0:
        yield f"           … and {group.count - len(group.examples):,} more"


def _fields(group: Group) -> dict[str, Any]:
    return {
        "count": group.count,
        "examples": [{"key": one.key, "detail": one.detail, "mendable": one.mendable} for one in group.examples],
    }


def changes(changed: Mapping[str, int], left: Sequence[Finding], *, dry: bool) -> Iterator[str]:
    """What `reconcile` did."""
    for kind, count in sorted(changed.items()):
        yield f"{count:>9,}  {kind}"
    verb = "would be mended" if dry else "mended"
    total = sum(changed.values())
    yield f"{total:,} {verb}" if total else "nothing to mend"
    for one in left[:10]:
        yield f"left as it is: {one.kind} {printable(one.key)}: {printable(one.detail)}"
    if len(left) > 10:
        yield f"left as it is: {len(left) - 10:,} more"
