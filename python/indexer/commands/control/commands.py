"""The commands `pause`, `resume` and `rate`: a wish for each instance, and a wait until they obey."""

import asyncio
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from indexer.commands.control import wishes
from indexer.commands.control.wishes import Instance
from indexer.connections.database import Connection
from indexer.errors import ConfigError, ExitCode, NotFoundError, SchemaError, StoppedEarlyError
from indexer.schema.connection import connected
from indexer.wording import printable

LOOK_S = 0.2
STATES = {"pause": "paused", "resume": "working"}
"""What an instance says when it has done what it was asked; with `rate` any state will do."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked, of whom, and how long the command waits."""

    verb: str
    rate: int | None
    """Of `rate`: 0: no limit; None: that of its settings."""
    timeout_s: float
    everybody: bool = False
    as_json: bool = False


async def ask(url: str, consumer: str | None, order: Order) -> int:
    """Ask, wait and tell. NotFoundError where nobody is there, StoppedEarlyError where somebody has not answered."""
    async with connected(url, order.verb) as connection:
        try:
            asked = await _ask(connection, consumer, order)
            return await _wait(connection, asked, order)
        except asyncpg.UndefinedTableError as fault:
            raise SchemaError(
                "the database lacks what is needed to reach instances",
                str(fault),
                "run `indexer schema create`; instances of this version need no restart for it",
            ) from None
        except asyncpg.InsufficientPrivilegeError as fault:
            raise SchemaError(
                "this role may not ask anything of instances",
                str(fault),
                "grant it what `indexer schema create --print-sql` shows",
            ) from None


async def _ask(connection: Connection, consumer: str | None, order: Order) -> dict[str, int]:
    """The numbers of the wishes, by consumer."""
    found = {one.consumer: one for one in await wishes.instances(connection)}
    names = _chosen(found, consumer, order)
    numbers = {}
    for name in names:
        if order.verb == "rate":
            numbers[name] = await wishes.ask_rate(connection, name, order.rate)
        else:
            numbers[name] = await wishes.ask_to_rest(connection, name, paused=order.verb == "pause")
    return numbers


def _chosen(found: Mapping[str, Instance], consumer: str | None, order: Order) -> list[str]:
    living = [name for name, one in found.items() if one.lives]
    # a paused one that was stopped could not be started as a drain, and would rest at every other start
    asleep = [name for name, one in found.items() if one.paused and not one.lives and order.verb == "resume"]
    shown = ", ".join(printable(name) for name in living) or "none"
    if consumer is not None:
        if consumer in living or consumer in asleep:
            return [consumer]
        raise NotFoundError(
            f"no instance lives under the name {printable(consumer)}",
            f"those with a lease in force: {shown}",
            "correct --consumer or INDEXER_CONSUMER; `indexer status` lists consumers",
        )
    if order.everybody or len(living) + len(asleep) == 1:
        if living or asleep:
            return [*living, *asleep]
    elif len(living) > 1 or asleep:
        raise ConfigError(
            f"{len(living)} instances live, and none is named",
            f"these are {shown}" + (f"; paused, not running: {', '.join(map(printable, asleep))}" if asleep else ""),
            "give --consumer NAME, or --all",
        )
    raise NotFoundError(
        "no instance lives", "no lease in indexer.lease is in force", "start one, or correct DB_POSTGRES_URL"
    )


async def _wait(connection: Connection, asked: Mapping[str, int], order: Order) -> int:
    """Until all have obeyed, or the time is over; tells of each."""
    clock = asyncio.get_running_loop().time
    end = clock() + order.timeout_s
    told: dict[str, Instance | None] = {}
    while True:
        found = {one.consumer: one for one in await wishes.instances(connection)}
        for name, number in asked.items():
            one = found.get(name)
            if name not in told and _has_obeyed(one, number, order):
                told[name] = one
                if not order.as_json:
                    sys.stdout.write(f"{printable(name)}: {described(one)}\n")
                    sys.stdout.flush()
        late = [name for name in asked if name not in told]
        if not late or clock() >= end:
            break
        await asyncio.sleep(LOOK_S)
    if order.as_json:
        sys.stdout.write(
            json.dumps([_document(name, found.get(name), obeys=name in told) for name in asked], indent=2) + "\n"
        )
    if not late:
        return ExitCode.DONE
    said = "; ".join(f"{printable(name)}: {_why_late(found.get(name), asked[name])}" for name in late)
    raise StoppedEarlyError(
        f"{len(late)} of {len(asked)} instances have not obeyed within {order.timeout_s:g} s",
        said,
        "what was asked stays asked: look at `indexer status`, or give the command again with a longer --timeout",
    )


def _has_obeyed(one: Instance | None, number: int, order: Order) -> bool:
    if one is None or not one.lives:
        # nobody is there who could do otherwise, and the next start will see it
        return order.verb == "resume"
    if one.heard is None or one.heard < number:
        return False
    return order.verb == "rate" or one.state == STATES[order.verb]


def _why_late(one: Instance | None, number: int) -> str:
    if one is None or not one.lives:
        return "it has ended meanwhile"
    if one.state is None:
        return "it says nothing: it is of an older version, or its role may not use indexer.control"
    if one.heard is None or one.heard < number:
        return "it has not heard it yet, or a read from before is under way"
    return "it finishes what it holds" if one.state == "pausing" else f"it is {one.state}"


def described(one: Instance | None) -> str:
    """What an instance does, for people."""
    if one is None or not one.lives:
        return "does not run" + (", starts paused" if one is not None and one.paused else "")
    if one.state is None:
        return "runs, and says no more"
    since = f" since {one.asked_at:%Y-%m-%dT%H:%M:%SZ}" if one.state == "paused" and one.asked_at else ""
    return f"{one.state}{since}, " + ("no limit" if one.rate_now is None else f"{one.rate_now:,} messages/s at most")


def _document(name: str, one: Instance | None, *, obeys: bool) -> dict[str, object]:
    return {
        "consumer": name,
        "obeys": obeys,
        "lives": one is not None and one.lives,
        "state": one.state if one else None,
        "rate": one.rate_now if one else None,
    }
