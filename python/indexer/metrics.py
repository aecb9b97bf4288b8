"""Every series, with its labels from closed lists; all are there at zero before the first message.

Bind a child once (`metrics.messages.labels("firehose_live", "indexed")`) and add per batch: a look-up by labels
costs more than the addition.
"""

import platform
from collections.abc import Callable, Iterable
from itertools import product
from typing import TypeVar

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from indexer import _native
from indexer.identity.outcomes import CAUSES
from indexer.schema.needs import TABLES

OUTCOMES = ("indexed", "ignored", "dead_lettered")
STAGES = ("read", "decode", "read_rows", "fold", "write", "settle", "ack")
CHANGES = ("insert", "update", "delete")
LOOK_UPS = ("found", "without_handle", "not_found", "unusable", "put_off")
HOSTING = ("hosted", "gone", "unknown")
DELETIONS = ("asked", "removing")
CLAIM_REASONS = ("lease", "idle")
LANE_STATES = ("working", "idle", "waiting", "paused", "halted")
RETRY_CLASSES = ("outage", "contention", "data")
WRITTEN_TABLES = tuple(table.name for table in TABLES if table.written)

# A statement on warm tables takes milliseconds, a batch behind a lock up to its time limit.
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


Kind = TypeVar("Kind", Counter, Gauge, Histogram)


class Metrics:
    """The process's series in a registry of their own."""

    def __init__(self, streams: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self.registry)
        prometheus_client.GCCollector(registry=self.registry)
        names = tuple(streams)

        self.messages = self._counter(
            "messages", "Messages that were finished and acknowledged.", stream=names, outcome=OUTCOMES
        )
        self.ignored = self._counter(
            "ignored", "Messages that rightly have no effect.", stream=names, reason=_native.IGNORED_REASONS
        )
        self.dead_letters = self._counter(
            "dead_letters", "Messages put into indexer.dead_letter.", stream=names, reason=_native.REJECT_REASONS
        )
        self.rows = self._counter(
            "rows", "Rows of the AppView's tables that were changed.", table=WRITTEN_TABLES, change=CHANGES
        )
        self.retries = self._counter("retries", "Writes that were tried again.", **{"class": RETRY_CLASSES})
        self.cleaned_texts = self._counter(
            "cleaned_texts", "Records with a text that PostgreSQL refuses as it came (NUL, lone surrogates)."
        )
        self.look_ups = self._counter("look_ups", "Handles that were looked up, by what came of it.", outcome=LOOK_UPS)
        self.look_up_causes = self._counter("look_up_causes", "Look-ups that gave no handle.", cause=CAUSES)
        self.handle_backlog = self._gauge("handle_backlog", "Look-ups of handles that are not done.")
        self.did_cache_refused = self._counter("did_cache_refused", "DID documents that Redis did not take.")
        self.account_deletions = self._gauge(
            "account_deletions", "Deletions of accounts that are not done.", state=DELETIONS
        )
        self.account_hosting = self._counter(
            "account_hosting", "Answers of PDSs whether they host a deleted account.", answer=HOSTING
        )
        self.removed_rows = self._counter("removed_rows", "Rows of deleted accounts that were removed.")
        self.stage_seconds = self._filled(
            Histogram, "stage_seconds", "Seconds that a batch spent in a stage.", {"stage": STAGES}, buckets=SECONDS
        )
        self.stream_length = self._gauge("stream_length", "Entries in the stream (XLEN).", stream=names)
        self.stream_pending = self._gauge(
            "stream_pending", "Entries pending in the group, all consumers.", stream=names
        )
        self.stream_oldest_pending_seconds = self._gauge(
            "stream_oldest_pending_seconds", "Age of the oldest entry pending in the group.", stream=names
        )
        self.claimed = self._counter(
            "claimed", "Entries taken over from dead consumers.", stream=names, reason=CLAIM_REASONS
        )
        self.acknowledged_elsewhere = self._counter(
            "acknowledged_elsewhere", "Messages that were acknowledged already when we were done.", stream=names
        )
        self.groups_lost = self._counter(
            "groups_lost", "Times that the consumer group or its stream was gone.", stream=names
        )
        self.last_progress = self._gauge(
            "last_progress_timestamp_seconds", "When the lane last acknowledged something; 0: not yet.", stream=names
        )
        self.lane_state = self._gauge(
            "lane_state", "1 for the state that the lane is in, else 0.", stream=names, state=LANE_STATES
        )
        self.db_connections = self._gauge("db_connections", "Open connections to PostgreSQL.")
        build = {
            "version": _native.VERSION,
            "python": platform.python_version(),
            "profile": "debug" if _native.DEBUG_BUILD else "release",
        }
        labels = {name: (text,) for name, text in build.items()}
        self._gauge("build_info", "The running build; always 1.", **labels).labels(**build).set(1)

    def _counter(self, name: str, documentation: str, **labels: tuple[str, ...]) -> Counter:
        return self._filled(Counter, name, documentation, labels)

    def _gauge(self, name: str, documentation: str, **labels: tuple[str, ...]) -> Gauge:
        return self._filled(Gauge, name, documentation, labels)

    def _filled(
        self, kind: type[Kind], name: str, documentation: str, labels: dict[str, tuple[str, ...]], **options: object
    ) -> Kind:
        """A metric with one child per combination of label values."""
        make: Callable[..., Kind] = kind
        metric = make(f"indexer_{name}", documentation, tuple(labels), registry=self.registry, **options)
        for values in product(*labels.values()):
            if values:
                metric.labels(*values)
        return metric
