"""`python -m indexer.embedded`: private servers for somebody who wants to try things, until Ctrl-C.

What it prints are lines for a shell; with `--env-file` they are in that file, too, for as long as the servers run.
"""

import argparse
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from indexer import embedded
from indexer.embedded import binaries
from indexer.errors import ConfigError, ExitCode, IndexerError


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the servers until SIGINT or SIGTERM; the exit code."""
    parser = argparse.ArgumentParser(
        "python -m indexer.embedded",
        description="Start a PostgreSQL and a Redis-compatible server that only you can reach, print their URLs as "
        "lines for a shell, and wait. Ctrl-C stops both and removes all that was in them.",
        allow_abbrev=False,
    )
    parser.add_argument("--env-file", type=Path, metavar="FILE", help="write the lines to this new file as well")
    given = parser.parse_args(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    try:
        if given.env_file and given.env_file.exists():
            raise ConfigError(
                f"{given.env_file} is there already",
                "other servers may be running, or were killed before they could remove it",
                "stop them, or remove the file, or name another",
            )
        with embedded.postgres() as postgres, embedded.redis() as redis:
            lines = list(_lines(postgres.url, redis.url))
            with _written(given.env_file, lines):
                lines.append("# Both run until Ctrl-C; then all that was in them is gone.")
                sys.stdout.write("".join(f"{line}\n" for line in lines))
                sys.stdout.flush()
                while True:
                    signal.pause()
    except KeyboardInterrupt:
        return ExitCode.DONE
    except IndexerError as fault:
        sys.stderr.write(f"indexer: {fault}\n")
        return fault.exit_code


def _stop(_number: int, _frame: object) -> None:
    """Once: what tidies up must not be disturbed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def _lines(postgres_url: str, redis_url: str) -> Iterator[str]:
    yield f"export REDIS_URL={shlex.quote(redis_url)}"
    yield f"export DATABASE_URL={shlex.quote(postgres_url)}"
    programs = binaries.postgres_folder()
    if not shutil.which("psql") and os.access(programs / "psql", os.X_OK):
        yield f'export PATH="$PATH":{shlex.quote(str(programs))}'


@contextmanager
def _written(file: Path | None, lines: Sequence[str]) -> Iterator[None]:
    """The file is there as a whole, or not at all: somebody may be waiting for it."""
    if file is None:
        yield
        return
    half = file.with_name(f"{file.name}.new")
    half.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    half.rename(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
