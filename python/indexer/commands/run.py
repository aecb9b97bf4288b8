"""The command `run`: the daemon, from flags and environment to its exit code."""

import argparse
import os
from dataclasses import replace

from indexer.commands import flags
from indexer.configuration.settings import OPTIONS, Settings


def add(commands: "flags.Commands") -> None:
    """Add `run` to the commands."""
    run = commands.add_parser(
        "run",
        help="the daemon",
        description="Index until stopped. Each flag has a variable of the environment; the flag wins, then the "
        "variable, then the file that <variable>_FILE names.",
        allow_abbrev=False,
    )
    run.add_argument("--drain", action="store_true", help="stop when everything that is there now is indexed")
    run.add_argument("--wait", action="store_true", help="wait for servers that are unavailable at start")
    flags.add_options(run, OPTIONS)
    run.set_defaults(command=_run)


def _run(given: argparse.Namespace) -> int:
    import asyncio

    import structlog

    from indexer.daemon import logs

    settings, warnings = Settings.from_environment(os.environ, flags.given(given))
    settings = replace(settings, drain=given.drain, wait=given.wait)
    logs.configure(settings.log_level, os.environ)
    for warning in warnings:
        structlog.get_logger().warning("configuration", detail=warning)

    from indexer.daemon import service

    status: int = asyncio.run(service.run(settings))
    return status
