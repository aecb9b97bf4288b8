"""Whose consumer that is, as far as it can be told from outside. Pure."""

import re
from collections.abc import Collection, Mapping
from typing import Literal

from indexer.database import APPLICATION

Implementation = Literal["ours", "ours, gone", "rsky?", "TypeScript?", "TypeScript or rsky"]

_RSKY_NAME = re.compile(r"indexer_[0-9]+")
"""As its default is."""
_RSKY_LIBRARY = "redis-rs"
"""What its client tells Redis; that of the TypeScript indexer tells nothing."""


def looks_like(
    consumer: str, overdue: Mapping[str, float], applications: Collection[str], libraries: Collection[str] | None
) -> Implementation:
    """Which program a consumer belongs to.

    `overdue` has the leases (`lease.overdue`), `applications` those that are connected to PostgreSQL, `libraries` what
    the clients of Redis that read from groups say of themselves; None: nobody may look. Ours is certain by its lease;
    about others there are only hints.
    """
    if consumer in overdue:
        return "ours" if overdue[consumer] < 0 else "ours, gone"
    if f"{APPLICATION}/{consumer}" in applications:
        return "ours"
    if _RSKY_NAME.fullmatch(consumer):
        return "rsky?"
    if libraries:
        if _RSKY_LIBRARY not in libraries:
            return "TypeScript?"
        if set(libraries) == {_RSKY_LIBRARY}:
            return "rsky?"
    return "TypeScript or rsky"
