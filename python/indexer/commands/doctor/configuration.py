"""The settings, before any server is asked."""

from collections.abc import AsyncIterator

from indexer.commands.doctor.finding import Fact, Finding, Yielded
from indexer.commands.doctor.subject import Subject

AREA = "configuration"


async def values(subject: Subject) -> AsyncIterator[Yielded]:
    """What is missing, not allowed, contradicted or misspelt."""
    for fault in subject.configuration.faults:
        yield Finding(f"{AREA}.refused", fault.what, f"`run` ends with 78: {fault.cause}", fault.remedy)
    for warning in subject.configuration.warnings:
        yield Finding(
            f"{AREA}.doubtful",
            warning,
            "what somebody set has no effect",
            "correct or remove it; `indexer config show` lists where each value comes from",
        )


async def development(subject: Subject) -> AsyncIterator[Yielded]:
    """Switches that are for development."""
    if subject.settings.get("allow_private_addresses"):
        yield Finding(
            f"{AREA}.private_addresses",
            "INDEXER_ALLOW_PRIVATE_ADDRESSES is true",
            "whoever has an account can make this process send requests into its own network",
            "unset it in production",
        )


async def effective(subject: Subject) -> AsyncIterator[Yielded]:
    """What differs from the defaults."""
    for one in subject.configuration.shown:
        if one.origin not in ("default", "unset", "wrong"):
            yield Fact(AREA, f"{one.option.field} = {one.value} ({one.origin} {one.name})")
