"""Processor time of other processes, where the system has /proc to read it from (Linux)."""

import os
from pathlib import Path

PROC = Path("/proc")


def seconds(pid: int) -> float | None:
    """Of a process, since it began; None where it cannot be known."""
    found = _times(pid)
    return None if found is None else sum(found[:2]) / _ticks()


def family_seconds(pid: int) -> float | None:
    """Of a server that starts a process per connection: its own, those of its children and those of ended children."""
    own = _times(pid)
    if own is None:
        return None
    children = (_times(child) for child in _children(pid))
    return (sum(own) + sum(sum(times) for times in children if times)) / _ticks()


def _children(pid: int) -> list[int]:
    return [
        int(entry.name)
        for entry in PROC.iterdir()
        if entry.name.isdecimal() and (fields := _fields(int(entry.name))) and int(fields[1]) == pid
    ]


def _times(pid: int) -> list[int] | None:
    """Ticks of user and system time, and the same of ended children: fields 14 to 17 of stat (proc(5))."""
    fields = _fields(pid)
    return [int(field) for field in fields[11:15]] if fields else None


def _fields(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat from the third on; the second is a name that may hold anything."""
    try:
        text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return text.rpartition(")")[2].split()


def _ticks() -> int:
    return os.sysconf("SC_CLK_TCK")
