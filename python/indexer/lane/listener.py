"""Who is told by the lanes what becomes of batches: the error budget, the summary of a canary, series for others."""

from typing import Any, Protocol

from indexer.lane.decoding import Decoded
from indexer.sink.halving import Outcome


class Listener(Protocol):
    """Told in this order; must not fail, and not take long."""

    def written(self, messages: int, dead: list[str]) -> None:
        """A batch was committed; the causes of its dead letters."""

    def settled(self, batch: Decoded[Any], outcome: Outcome, seconds: float) -> None:
        """It was acknowledged, so many seconds after it was read."""
