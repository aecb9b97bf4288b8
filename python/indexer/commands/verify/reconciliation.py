"""One run of `reconcile`: every check, portion by portion, from where a run before was broken off."""

import asyncio
import json
import random
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from indexer.commands.verify.checkpoints import Checkpoints, Pass
from indexer.commands.verify.finding import Check, Finding
from indexer.commands.verify.mend import Mend
from indexer.commands.verify.progress import Progress
from indexer.commands.verify.sample import LEAST_ROWS
from indexer.commands.verify.walk import PORTION, Walker


class Reconciliation:
    """One run of `reconcile`."""

    def __init__(self, walker: Walker, checks: Sequence[Check], sample: float, *, dry_run: bool = False) -> None:
        self._walker = walker
        self._sample = sample
        self._dry = dry_run
        self._checks = checks
        self._mend = Mend(walker)
        task = {"schema": walker.statements.schema_name, "only": sorted(set(walker.only)), "sample": sample}
        self._checkpoints = Checkpoints(walker.pool, walker.statements, json.dumps(task))
        self.changed: Counter[str] = Counter()
        self.left = self._mend.left

    async def some(self, keys: Mapping[str, list[str]]) -> None:
        """What belongs to these URIs and DIDs."""
        for check in self._checks:
            mine = keys["did" if check.column == "did" else "uri"] if not check.numbered else []
            for first in range(0, len(mine), PORTION):
                await self._do(check, await self._walker.find_twice(check, mine[first : first + PORTION]))
        if not self._dry:
            await self._mend.count()

    async def all(self, stop: asyncio.Event, *, restart: bool = False) -> None:
        """Every pass, from where a run before was broken off."""
        before = {} if self._dry else await self._walker.patiently(lambda: self._checkpoints.take(restart=restart))
        lengths = await lengths_of(self._walker, self._checks, self._sample)
        progress = Progress({name: length * share for name, (length, share) in lengths.items()})
        if before:
            done = sum(one.done for one in before.values())
            self._tell(f"goes on where a run was broken off: {done} of {len(self._checks)} passes are done")
        if not self._dry:
            await self._mend.count()  # what a run that was broken off marked
        for check in self._checks:
            one = before.get(check.name) or Pass(check.name, random.getrandbits(32))
            self.changed += one.changed
            if not one.done and not stop.is_set():
                await self._pass(check, one, lengths[check.name], progress, stop)
            progress.ended(check.name, one.keys)
        progress.close()
        if not self._dry and not stop.is_set():
            await self._walker.patiently(self._checkpoints.finish)

    async def _pass(
        self, check: Check, one: Pass, length: tuple[float, float], progress: Progress, stop: asyncio.Event
    ) -> None:
        if not self._dry:
            await self._walker.patiently(lambda: self._checkpoints.begin(one))
        rows, fraction = length
        async for portion, findings in self._walker.walk(check, fraction, one.seed, one.position, rows):
            one.changed += await self._do(check, findings)
            one.position, one.keys = portion.position, one.keys + portion.keys
            if not self._dry:
                await self._walker.patiently(lambda: self._checkpoints.note(one))
            progress.tell(check.name, one.keys, self.changed.total())
            if stop.is_set():
                return
        one.done = True
        if not self._dry:
            await self._walker.patiently(lambda: self._checkpoints.note(one))

    async def _do(self, check: Check, findings: Sequence[Finding]) -> Counter[str]:
        if self._dry:
            self.left += [one for one in findings if not one.mendable]
            changed = Counter(one.kind for one in findings if one.mendable)
        else:
            changed = await self._mend.portion(check, findings) if findings else Counter[str]()
        self.changed += changed
        return changed

    def _tell(self, line: str) -> None:
        sys.stderr.write(f"{line}\n")


async def lengths_of(walker: Walker, checks: Sequence[Check], sample: float) -> dict[str, tuple[float, float]]:
    """By pass: about how many rows the table has, and which share of them is looked at."""
    found = {}
    for check in checks:
        rows = await walker.estimate(check)
        share = 1.0 if sample >= 1 or rows <= LEAST_ROWS else min(max(sample, LEAST_ROWS / rows), 1.0)
        found[check.name] = rows, share
    return found
