"""How far it is: a line that moves on a terminal, a line now and then elsewhere. On standard error."""

import os
import shutil
import sys
import time
from collections.abc import Mapping
from typing import TextIO

from indexer.commands.status.texts import duration

MOVES_S = 0.2
TELLS_S = 10.0


class Progress:
    """For passes of known lengths, about; one after the other."""

    def __init__(self, lengths: Mapping[str, float], out: TextIO = sys.stderr) -> None:
        self._lengths = dict(lengths)
        self._out = out
        self._moves = out.isatty() and os.environ.get("TERM") != "dumb"
        self._began = self._told = time.monotonic()
        self._done = 0
        """Keys of passes that have ended."""
        self._shown = False

    def tell(self, name: str, keys: int, found: int) -> None:
        """So many keys of a pass are done, so many findings are there in all."""
        now = time.monotonic()
        if now - self._told < (MOVES_S if self._moves else TELLS_S):
            return
        self._told = now
        total, whole = self._done + keys, max(sum(self._lengths.values()), self._done + keys, 1)
        rate = total / max(now - self._began, 0.001)
        left = duration((whole - total) / rate) if rate else "-"
        line = f"{name}: {total:,} of about {whole:,.0f} rows, {rate:,.0f}/s, {left} left, {found:,} found"
        if self._moves:
            self._out.write(f"\r{line[: shutil.get_terminal_size((100, 24)).columns - 1]}\x1b[K")
            self._shown = True
        else:
            self._out.write(f"{line}\n")
        self._out.flush()

    def ended(self, name: str, keys: int) -> None:
        """A pass has ended, and is as long as it was."""
        self._lengths[name] = keys
        self._done += keys

    def close(self) -> None:
        """Leave no half line."""
        if self._shown:
            self._out.write("\r\x1b[K")
            self._out.flush()
