"""Whose consumer that is, as far as it can be told from outside. Pure."""

import re
from collections.abc import Collection, Mapping
from typing import Literal

from indexer.connections.database import APPLICATION
from indexer.lane.pending import Consumer

Implementation = Literal["ours", "ours, gone", "rsky?", "TypeScript?", "TypeScript or rsky", "unknown"]

_RSKY_NAME = re.compile(r"indexer_[0-9]+")
"""As its default is."""
_RSKY_LIBRARY = "redis-rs"
"""What its client tells Redis; that of the TypeScript indexer tells nothing."""


RESTS_S = 10.0
"""Who reads asks more often than that."""


def looks_like(
    consumer: Consumer,
    overdue: Mapping[str, float],
    applications: Collection[str],
    libraries: Collection[str] | None,
    asked: Collection[str] = (),
) -> Implementation:
    """Which program a consumer belongs to.

    `overdue` has the leases (`overdue_leases`), `applications` those that are connected to PostgreSQL, `libraries` what
    the clients of Redis that read from groups say of themselves (None: nobody may look), `asked` the names under which
    something is asked of ours. Ours is certain by its lease, which stays while it holds anything; about others there
    are only hints. Who holds nothing and does not read may be one of ours that ended in order, and left no lease.
    """
    name = consumer.name.decode(errors="replace")
    if name in overdue:
        return "ours" if overdue[name] < 0 else "ours, gone"
    if f"{APPLICATION}/{name}" in applications:
        return "ours"
    if name in asked:
        return "ours, gone"
    if _RSKY_NAME.fullmatch(name):
        return "rsky?"
    if not consumer.pending and consumer.idle_s > RESTS_S:
        return "unknown"
    if libraries:
        if _RSKY_LIBRARY not in libraries:
            return "TypeScript?"
        if set(libraries) == {_RSKY_LIBRARY}:
            return "rsky?"
    return "TypeScript or rsky" if consumer.pending else "unknown"
