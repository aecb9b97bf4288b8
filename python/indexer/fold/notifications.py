"""Which events tell people something (design.md, Notifications)."""

from typing import Literal

Notifications = Literal["live", "all", "updates", "off"]


def speaks(mode: Notifications, kind: str, *, is_backfill: bool) -> bool:
    """Whether an event adds notifications: `updates` is what the reference's stream indexer does."""
    match mode:
        case "live":
            return not is_backfill
        case "all":
            return True
        case "updates":
            return kind != "create"
        case "off":
            return False
