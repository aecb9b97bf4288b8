"""What a check can yield."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be."""

    code: str
    """Area and a word, for programs: `redis.policy`."""
    what: str
    means: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Fact:
    """Something worth knowing; nothing is wrong with it."""

    area: str
    text: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """What could not be looked at, and why."""

    area: str
    what: str
    why: str


Yielded = Finding | Fact | Unseen
