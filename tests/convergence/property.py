"""The property: the same messages give the same tables, in any order, cut and spread in any way, repeated."""

import random
from collections.abc import Sequence

from indexer._native import Event, decode_events
from indexer.source import Message
from tests.convergence.expected import expected
from tests.convergence.histories import NEVER_STORED, Step, history
from tests.convergence.laboratory import CLOCK_MS, MOST_SINKS, Batch, Laboratory
from tests.convergence.tables import broken, differences, in_any_order, in_order


def converges(laboratory: Laboratory, steps: Sequence[Step], seed: int) -> None:
    """AssertionError with every row that is not as it ought to be. `seed` decides orders and cuts."""
    try:
        _converges(laboratory, history(steps), random.Random(seed))
    except BaseException as error:
        error.add_note("\n".join(map(repr, steps)))
        raise


def _converges(laboratory: Laboratory, messages: list[Message], chance: random.Random) -> None:
    truth = laboratory.deliver([[message] for message in messages])
    results = decode_events([message.payload or b"" for message in messages], [CLOCK_MS] * len(messages))
    events = [event for event in results if isinstance(event, Event)]
    known = expected(event for event in events if event.rkey not in NEVER_STORED)
    _agree("one by one", broken(truth, known))

    again = laboratory.deliver(_cut(messages, chance))
    _agree("in batches", differences(in_order(truth, known), in_order(again, known)))

    for sinks in (1, chance.randint(2, MOST_SINKS)):
        shuffled = [*messages, *chance.choices(messages, k=len(messages) // 3)]
        chance.shuffle(shuffled)
        batches = _cut(shuffled, chance)
        found = laboratory.deliver(*(batches[first::sinks] for first in range(sinks)))
        _agree(f"in any order over {sinks}", broken(found, known))
        wrong = differences(in_any_order(truth, known), in_any_order(found, known))
        _agree(f"in any order over {sinks}", wrong)


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
