"""The last messages, in whole batches: what shares of bad ones are taken of."""

from collections import Counter, deque
from collections.abc import Hashable, Iterable

LAST_MESSAGES = 10_000
"""What the shares are taken of, in whole batches."""
FEWEST_MESSAGES = 1_000
"""Fewer are not judged: after a start a handful of dead letters would be a great share."""


class SlidingWindow:
    """Counts what befell the last messages; in memory, so that a start begins anew."""

    def __init__(self) -> None:
        self._batches: deque[tuple[int, Counter[Hashable]]] = deque()
        self.messages = 0
        self.counted: Counter[Hashable] = Counter()

    def add(self, messages: int, what: Iterable[Hashable]) -> None:
        """Add a batch: its messages, and a word for each thing that befell one of them; they may be counted already."""
        self._batches.append((messages, Counter(what)))
        self.messages += messages
        self.counted.update(self._batches[-1][1])
        while self.messages - self._batches[0][0] >= LAST_MESSAGES:
            gone, words = self._batches.popleft()
            self.messages -= gone
            self.counted -= words

    def percent(self, number: int) -> float:
        return number * 100 / self.messages if self.messages else 0.0

    def is_large_enough(self) -> bool:
        """Whether a share says anything."""
        return self.messages >= FEWEST_MESSAGES
