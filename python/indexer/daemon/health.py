"""What the process says of itself: `/livez`, `/readyz`, the watchdog of systemd, and the states of its lanes."""

import time
from collections.abc import Sequence
from functools import partial
from typing import Any

from indexer.configuration import values
from indexer.daemon.http import Health
from indexer.lane.pipeline import Lane
from indexer.metrics import LANE_STATES, Metrics

STALLED_S = 120
"""A lane that neither wrote anything nor had nothing to do for so long, while servers answer, is not alive."""


def health(lanes: Sequence[Lane[Any]], paused: str | None = None) -> Health:
    """A lane is alive while it goes on, and while no restart would help it: it waits for a server, is halted or paused.

    `paused` says how it goes on, where it is.
    """
    halted, waits, stalled = [], [], []
    for lane in lanes:
        name, waits_for = f"lane {lane.source.stream}", "Redis" if lane.waiting else lane.sink.waits_for
        if lane.halted:
            halted.append(f"{name} halted: {values.mask(lane.halted)}")
        elif lane.state == "paused":
            continue  # what it waited for was looked at before the pause
        elif waits_for:
            waits.append(f"{name} waits for {waits_for}")
        elif not lane.is_resting and time.monotonic() - max(lane.progress, lane.sink.progress) > STALLED_S:
            stalled.append(f"{name} made no progress for {STALLED_S} s")
    reasons = (*([f"paused: {paused}"] if paused else []), *halted, *waits, *stalled)
    return Health(live=not stalled, ready=not reasons, reasons=reasons)


def show_states(lanes: Sequence[Lane[Any]], metrics: Metrics) -> None:
    """Let each scrape see the state that each lane is in just then."""
    for lane in lanes:
        for state in LANE_STATES:
            metrics.lane_state.labels(lane.source.stream, state).set_function(partial(_is_in, lane, state))


def _is_in(lane: Lane[Any], state: str) -> float:
    return float(lane.state == state)
