"""The text of `--stop-if`: `dead>0.1%|p99>2s`. One criterion that is met is enough."""

import re
from dataclasses import dataclass
from typing import Literal, cast

Metric = Literal["dead", "db", "p99", "late"]

SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
SLOWEST_PERCENT = 1.0
"""What is left out of a p99."""
ALLOWED = (
    "must be criteria such as dead>0.1%|db>5|p99>2s|late>10m, or off: dead and db with a percentage below 100 or a "
    "whole number of messages, p99 and late with a time in ms, s, m or h"
)


@dataclass(frozen=True, slots=True)
class Criterion:
    """What is too much: `limit` percent, messages or seconds, by the unit."""

    metric: Metric
    limit: float
    unit: Literal["%", "", "s"]
    text: str
    """As it was given."""


@dataclass(frozen=True, slots=True)
class Criteria:
    """One or more of them."""

    all: tuple[Criterion, ...]

    def __str__(self) -> str:
        return "|".join(one.text for one in self.all)


def criteria(text: str) -> Criteria | None:
    """Read the text; None for `off`. ValueError that says what is allowed."""
    if text.strip().lower() == "off":
        return None
    return Criteria(tuple(_criterion("".join(part.split()).lower()) for part in text.split("|")))


def _criterion(text: str) -> Criterion:
    found = re.fullmatch(r"(dead|db|p99|late)>([0-9]{1,9}(?:\.[0-9]{1,6})?)(%|ms|s|m|h)?", text)
    if found is None:
        raise ValueError(ALLOWED)
    metric, number, unit = cast(Metric, found[1]), float(found[2]), found[3] or ""
    if metric in ("p99", "late"):
        if unit not in SECONDS or not number:
            raise ValueError(ALLOWED)
        return Criterion(metric, number * SECONDS[unit], "s", text)
    if unit == "%" and number < 100:
        return Criterion(metric, number, "%", text)
    if unit == "" and "." not in found[2]:
        return Criterion(metric, number, "", text)
    raise ValueError(ALLOWED)
