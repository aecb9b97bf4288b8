"""The command `doctor`, from settings to a report."""

import asyncio
import json
import os
import platform
import sys
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from io import TextIOWrapper
from pathlib import Path
from typing import Any

from indexer import _native
from indexer.commands.doctor import report
from indexer.commands.doctor.examination import DEADLINE_S, examine
from indexer.commands.doctor.subject import Subject
from indexer.commands.status import texts
from indexer.commands.status.arguments import SETTINGS
from indexer.commands.status.watch import Watch, measured
from indexer.configuration import origins as configuration
from indexer.configuration.secrets import passwords, scrubbed
from indexer.daemon import build
from indexer.errors import ConfigError, ExitCode

DRIVERS = ("asyncpg", "redis", "aiohttp")


async def doctor(
    environ: Mapping[str, str],
    flags: Mapping[str, str | None],
    *,
    instances: int | None = None,
    as_json: bool = False,
    bundle: str | None = None,
) -> int:
    """Examine, and write what was found; 1 where that is anything. ConfigError where the bundle cannot be written."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may know fewer letters than the network
    settings = configuration.read(environ, flags)
    hidden = passwords(str(settings.found[field]) for field in ("redis_url", "postgres_url") if field in settings.found)
    file = _opened(bundle) if bundle else None
    looking = asyncio.create_task(_status(settings.found)) if bundle else None
    found = await examine(Subject(settings, instances))
    if looking is not None and file is not None:
        content = {
            "doctor": report.fields(found),
            "configuration": json.loads(configuration.document(settings)),
            "status": await looking,
            "variables": sorted(name for name in environ if name.startswith(("INDEXER_", "DB_", "REDIS_"))),
            "versions": _versions(),
        }
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(scrubbed(report.document(content), hidden) + "\n")
        sys.stderr.write(f"{bundle}: written, passwords masked; look through it before you send it\n")
    text = report.document(report.fields(found)) if as_json else "\n".join(report.lines(found))
    sys.stdout.write(f"{scrubbed(text, hidden)}\n")
    return ExitCode.FINDINGS if found.findings else ExitCode.DONE


def _opened(bundle: str) -> int:
    """The new file, which only its owner can read."""
    try:
        return os.open(Path(bundle), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as fault:
        raise ConfigError(
            f"{bundle} cannot be written", fault.strerror or type(fault).__name__, "name a file that is not there yet"
        ) from None


async def _status(settings: Mapping[str, Any]) -> Any:
    """What `status` shows; None where that cannot be had in time."""
    if not all(field in settings for field in SETTINGS):
        return None
    with suppress(Exception):
        async with asyncio.timeout(DEADLINE_S), Watch(settings) as watch:
            return json.loads(texts.document(await measured(watch, 0)))
    return None


def _versions() -> dict[str, str]:
    found = {"indexer": _native.VERSION, **build.facts(), "system": platform.platform()}
    for name in DRIVERS:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
