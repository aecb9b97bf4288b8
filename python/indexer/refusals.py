"""The circuit breaker of a lane: where PostgreSQL refuses much, the messages are not to blame (interface.md)."""

from collections import deque

from indexer.sink.halving import HaltedError

LAST_MESSAGES = 10_000
"""What the share of refused messages is taken of; also at the start, so that a few do not halt a lane."""


class Refusals:
    """Counts what PostgreSQL refused of the last messages of a lane, in whole batches."""

    def __init__(self, limit: float | None) -> None:
        """`limit` is in percent; None: nothing is too much."""
        self._limit = limit
        self._batches: deque[tuple[int, int]] = deque()
        self._messages = 0
        self._refused = 0

    def count(self, messages: int, refused: int) -> None:
        """Add a batch. Raises `HaltedError` where more than the limit was refused."""
        if self._limit is None:
            return
        self._batches.append((messages, refused))
        self._messages += messages
        self._refused += refused
        while self._messages - self._batches[0][0] >= LAST_MESSAGES:
            messages, refused = self._batches.popleft()
            self._messages -= messages
            self._refused -= refused
        of = max(self._messages, LAST_MESSAGES)
        if self._refused * 100 > self._limit * of:
            raise HaltedError(
                f"PostgreSQL refused {self._refused} of the last {of} messages, more than {self._limit:g} %: "
                "look at indexer.dead_letter for the reason; INDEXER_DEAD_LETTER_LIMIT=off goes on all the same"
            )
