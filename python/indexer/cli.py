"""The parser of all commands, and what becomes of what they raise.

Each command is in `commands/`. What it needs is imported when it runs: `--help` and a wrong flag answer at once.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from indexer.commands import completion, config, demo, flags, run, schema, twins
from indexer.commands.control import arguments as control
from indexer.commands.dlq import arguments as dlq
from indexer.commands.doctor import arguments as doctor
from indexer.commands.handover import arguments as handover
from indexer.commands.shadow import arguments as shadow
from indexer.commands.status import arguments as status
from indexer.commands.trace import arguments as trace
from indexer.commands.verify import arguments as verify
from indexer.errors import ExitCode, IndexerError

COMMANDS = (run, demo, schema, config, doctor, status, control, dlq, handover, verify, shadow, trace)
"""In the order of the help."""

DESCRIPTION = """\
Reads the Redis streams of a Bluesky-compatible AppView and keeps its PostgreSQL tables.
"""

EPILOG = """\
exit codes:
  0   done
  1   findings: something is not as it should be, and was listed
  2   wrong usage
  69  a server is unavailable at start (`run --wait` waits instead)
  70  internal fault
  75  stopped early; try again
  78  configuration or schema
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code. Faults that somebody can mend are three lines on standard error."""
    everything = parser()
    try:
        words = twins.given(everything, sys.argv[1:] if arguments is None else arguments, os.environ)
        given = everything.parse_args(words)
        return int(given.command(given))
    except IndexerError as fault:
        sys.stderr.write(f"indexer: {fault}\n")
        return fault.exit_code
    except KeyboardInterrupt:
        return ExitCode.STOPPED_EARLY
    except Exception:
        import structlog

        from indexer.daemon import logs

        if not structlog.is_configured():
            logs.configure("info", os.environ, sys.stderr)
        structlog.get_logger().exception("internal fault")
        return ExitCode.INTERNAL


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    everything = argparse.ArgumentParser(
        "indexer",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,  # a later flag must not change what a shorter one meant
    )
    everything.add_argument(
        "--version", action=_Version, nargs=0, help="print the version and the facts of the build, and exit"
    )
    everything.set_defaults(command=lambda _given: flags.print_help(everything))
    commands = everything.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    completion.add(commands, everything)
    twins.add(everything)
    return everything


class _Version(argparse.Action):
    """As argparse's own, but the version is looked up only when asked for."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from indexer.daemon import build

        sys.stdout.write(build.text())
        parser.exit(0)
