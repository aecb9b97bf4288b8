"""The property: the same messages give the same tables, in any order, cut and spread in any way, repeated, broken off.

Accounts that are deleted are removed meanwhile, and at the latest at the end.
"""

import random
from collections.abc import Callable, Sequence

from indexer._native import Event, decode_events
from indexer.lane.source import Message
from tests.convergence.expected import Expected, expected
from tests.convergence.histories import NEVER_STORED, Step, history
from tests.convergence.laboratory import CLOCK_MS, MOST_SINKS, Batch, Laboratory, Unrest
from tests.convergence.standings import marks_of, standings, wrong_marks
from tests.convergence.tables import Shape, Tables, broken, differences, in_any_order, in_order

_HOSTED = 0.15
"""Share of the deleted accounts."""


def converges(laboratory: Laboratory, steps: Sequence[Step], seed: int) -> None:
    """AssertionError with every row that is not as it ought to be. `seed` decides orders and cuts."""
    try:
        _converges(laboratory, history(steps), random.Random(seed))
    except BaseException as error:
        error.add_note("\n".join(map(repr, steps)))
        raise


def _converges(laboratory: Laboratory, messages: list[Message], chance: random.Random) -> None:
    results = decode_events([message.payload or b"" for message in messages], [CLOCK_MS] * len(messages))
    events = [event for event in results if isinstance(event, Event)]
    truths = _Truths(laboratory, messages, [event for event in events if event.rkey not in NEVER_STORED], chance)
    truths.agree("one by one", truths.first, in_order)

    unrest = Unrest(_own(chance), accidents=True)
    again = laboratory.deliver(_cut(messages, chance), unrest=unrest, hosted=truths.hosted)
    truths.agree("in batches", again, in_order)

    for sinks in (1, chance.randint(2, MOST_SINKS)):
        shuffled = [*messages, *chance.choices(messages, k=len(messages) // 3)]
        chance.shuffle(shuffled)
        batches = _cut(shuffled, chance)
        unrest = Unrest(_own(chance), accidents=chance.random() < 0.5, removals=truths.has_deletions)
        lanes = [batches[first::sinks] for first in range(sinks)]
        found = laboratory.deliver(*lanes, unrest=unrest, hosted=truths.hosted)
        truths.agree(f"in any order over {sinks}", found, in_any_order)


def _own(chance: random.Random) -> random.Random:
    """Of its own: how often it is asked depends on who is faster, and the orders that follow must not."""
    return random.Random(chance.getrandbits(32))


class _Truths:
    """What the tables must hold: the messages one by one, then the removals.

    Which accounts are removed may depend on the order, and only that (`standings.py`): so there is one truth for each
    choice, removed whatever became of its jobs.
    """

    def __init__(
        self, laboratory: Laboratory, messages: list[Message], events: list[Event], chance: random.Random
    ) -> None:
        self._laboratory = laboratory
        self._one_by_one = [[message] for message in messages]
        self._events = events
        _, self._deletions = standings(events)
        self.hosted = {did for did in sorted(self._deletions) if chance.random() < _HOSTED}
        """Accounts that their PDS still has."""
        self.first = laboratory.deliver(self._one_by_one, hosted=self.hosted)
        self._known = {self._key(self.first): self.first}

    @property
    def has_deletions(self) -> bool:
        return bool(self._deletions)

    def agree(self, how: str, found: Tables, shape: Callable[[Tables, Expected], Shape]) -> None:
        """AssertionError where a delivery came to something else."""
        marks = marks_of(found["indexer.account_deletion"])
        _agree(how, [*wrong_marks(self._events, marks, self.hosted)])
        known = expected(self._events, marks)
        _agree(how, broken(found, known))
        key = self._key(found)
        if key not in self._known:
            doomed = [(did, *self._deletions[did][-1][1::-1], mark) for did, mark in marks.items()]
            hosted = self._deletions.keys() - marks.keys()
            self._known[key] = self._laboratory.deliver(self._one_by_one, hosted=hosted, doomed=doomed)
            assert self._key(self._known[key]) == key
        _agree(how, differences(shape(self._known[key], known), shape(found, known)))

    @staticmethod
    def _key(tables: Tables) -> frozenset[tuple[str, int]]:
        return frozenset(marks_of(tables["indexer.account_deletion"]).items())


def _cut(messages: Sequence[Message], chance: random.Random) -> list[Batch]:
    longest = chance.choice((1, 3, 10, 50))
    batches: list[Batch] = []
    start = 0
    while start < len(messages):
        size = chance.randint(1, longest)
        # a reader is never given one entry twice in one answer
        batches.append(list({message.id: message for message in messages[start : start + size]}.values()))
        start += size
    return batches


def _agree(how: str, wrong: list[str]) -> None:
    assert not wrong, f"delivered {how}:\n" + "\n".join(wrong)
