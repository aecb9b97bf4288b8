"""What a lane tells the metrics: children bound once, added to per batch."""

from dataclasses import dataclass

from indexer.metrics import OUTCOMES, STAGES, Metrics
from indexer.sink.halving import Outcome


@dataclass(frozen=True, slots=True)
class Tally:
    """The messages of a batch that never reached the sink: dead-lettered or ignored, with the reason; texts mended."""

    dead: list[str]
    ignored: dict[str, int]
    cleaned: int


class LaneMetrics:
    """The series of one stream."""

    def __init__(self, metrics: Metrics, stream: str) -> None:
        self._metrics = metrics
        self._stream = stream
        self._messages = {outcome: metrics.messages.labels(stream, outcome) for outcome in OUTCOMES}
        self._stages = {stage: metrics.stage_seconds.labels(stage) for stage in STAGES}
        self._progress = metrics.last_progress.labels(stream)

    def stage(self, name: str, seconds: float) -> None:
        self._stages[name].observe(seconds)

    def group_lost(self) -> None:
        self._metrics.groups_lost.labels(self._stream).inc()

    def acknowledged_elsewhere(self, messages: int) -> None:
        """Count messages that were processed here and acknowledged by somebody else, or by an answer that was lost."""
        self._metrics.acknowledged_elsewhere.labels(self._stream).inc(messages)

    def vanished(self, messages: int) -> None:
        """Count entries without a body that were acknowledged, but not in a batch."""
        self._messages["ignored"].inc(messages)
        self._metrics.ignored.labels(self._stream, "vanished").inc(messages)

    def claimed(self, reason: str, messages: int) -> None:
        self._metrics.claimed.labels(self._stream, reason).inc(messages)

    def batch(self, tally: Tally, outcome: Outcome) -> None:
        """Count a batch that was committed and acknowledged."""
        metrics = self._metrics
        dead = tally.dead + [letter.reason for letter in outcome.dead]
        ignored = dict(tally.ignored)
        if outcome.not_its_own:
            ignored["not_its_own"] = outcome.not_its_own
        if outcome.account_status:
            ignored["account_status"] = outcome.account_status
        self._messages["indexed"].inc(outcome.indexed)
        self._messages["ignored"].inc(sum(ignored.values()))
        self._messages["dead_lettered"].inc(len(dead))
        for reason, count in ignored.items():
            metrics.ignored.labels(self._stream, reason).inc(count)
        for reason in dead:
            metrics.dead_letters.labels(self._stream, reason).inc()
        for (table, change), count in outcome.rows.items():
            metrics.rows.labels(table, change).inc(count)
        for kind, count in outcome.retries.items():
            if kind != "programming":
                metrics.retries.labels(kind).inc(count)
        for stage, seconds in outcome.seconds.items():
            self._stages[stage].observe(seconds)
        metrics.cleaned_texts.inc(tally.cleaned)
        self._progress.set_to_current_time()
