"""What each verb does, from flags to lines."""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import aclosing, contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from indexer.commands.dlq import texts
from indexer.commands.dlq.letters import Letters, Selection, opened
from indexer.commands.dlq.retry import fields, retry
from indexer.connections.redis_connection import open_redis
from indexer.errors import ConfigError, ExitCode, IndexerError, NotFoundError, StoppedEarlyError
from indexer.wording import printable, quantity


class _ReaderGoneError(Exception):
    """Whoever read our output has enough, as `head` does."""


async def run(given: argparse.Namespace, settings: Mapping[str, Any]) -> ExitCode:
    """Run the verb of these arguments; `settings` holds its options by field."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know fewer letters than the network
    try:
        await _run(given, settings)
    except _ReaderGoneError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still buffered
        return ExitCode.STOPPED_EARLY
    return ExitCode.DONE


async def _run(given: argparse.Namespace, settings: Mapping[str, Any]) -> None:
    async with opened(settings["postgres_url"]) as letters:
        match given.verb:
            case "ls":
                await _ls(letters, _selection(given), as_json=given.json)
            case "show":
                await _show(letters, given.id)
            case "export":
                await _export(letters, _selection(given), given.output)
            case _ if given.dry_run:
                await _would(letters, _selection(given), given.verb)
            case "drop":
                await _drop(letters, _selection(given))
            case "retry":
                await _retry(letters, _selection(given), settings)


def _selection(given: argparse.Namespace) -> Selection:
    ids = tuple(getattr(given, "ids", ())) or None
    return Selection(ids, given.cause, given.stream, given.since)


def _say(*lines: str) -> None:
    _write(sys.stdout, lines)


async def _ls(letters: Letters, selection: Selection, *, as_json: bool) -> None:
    groups = await letters.groups(selection)
    _say(*([texts.groups_json(groups)] if as_json else texts.groups_table(groups)))


async def _show(letters: Letters, id_: int) -> None:
    letter = await letters.one(id_)
    if letter is None:
        raise _none(f"there is no dead letter {id_}")
    _say(*texts.shown(letter))


async def _would(letters: Letters, selection: Selection, verb: str) -> None:
    await _ls(letters, selection, as_json=False)
    _say(f"dry run: {verb} would take these; nothing was changed")


async def _drop(letters: Letters, selection: Selection) -> None:
    dropped = 0
    async with aclosing(letters.delete_selected(selection)) as portions:
        async for number in portions:
            dropped += number
    _say(f"dropped {quantity(dropped, 'dead letter')}")
    _complain_of_missing(selection, dropped)


async def _retry(letters: Letters, selection: Selection, settings: Mapping[str, Any]) -> None:
    redis = await open_redis(settings["redis_url"])
    try:
        done = await retry(letters, redis, selection, fields(settings["streams"], settings["label_stream"]))
    finally:
        await redis.aclose()
    where = ", ".join(f"{printable(stream)} {number:,}" for stream, number in sorted(done.added.items()))
    _say(f"added {quantity(done.added.total(), 'message')} again" + (f": {where}" if where else ""))
    if others := done.added.total() - done.removed:
        taken = quantity(others, "letter was", "letters were")
        _say(f"{taken} taken by somebody else meanwhile: what was in them may come twice")
    _complain_of_missing(selection, done.added.total())


def _complain_of_missing(selection: Selection, found: int) -> None:
    if selection.ids is not None and (missing := len(set(selection.ids)) - found):
        raise _none(f"{missing} of the {len(set(selection.ids))} that were named are not there")


def _none(what: str) -> IndexerError:
    return NotFoundError(
        what,
        "it was retried or dropped, or has another number; or it does not fit the other conditions",
        "`indexer dlq ls` shows what there is",
    )


async def _export(letters: Letters, selection: Selection, output: str | None) -> None:
    with _file(output) as file:
        async with aclosing(letters.portions(selection)) as portions:
            async for portion in portions:
                _write(file, (texts.exported(letter) for letter in portion))


@contextmanager
def _file(output: str | None) -> Iterator[TextIO]:
    if output is None:
        yield sys.stdout
        return
    try:
        file = Path(output).open("w", encoding="ascii")  # noqa: SIM115 (closed below)
    except OSError as fault:
        raise ConfigError(
            f"{output} cannot be written", fault.strerror or str(fault), "choose another --output"
        ) from None
    try:
        yield file
    finally:
        with suppress(OSError):  # what could not be written was told by then
            file.close()


def _write(file: TextIO, lines: Iterable[str]) -> None:
    """Write lines, to the last byte: a file that could not be closed is no export."""
    try:
        for line in lines:
            file.write(f"{line}\n")
        file.flush()
    except BrokenPipeError:
        raise _ReaderGoneError from None
    except OSError as fault:
        raise StoppedEarlyError(
            "the output is not complete",
            fault.strerror or str(fault),
            "make room and run the command again; the dead letters are kept",
        ) from None
