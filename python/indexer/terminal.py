"""What people see: lines that fit, one line that moves on a terminal, colours where they are wanted."""

import io
import shutil
import unicodedata
from collections.abc import Mapping
from typing import TextIO

PLAIN_WIDTH = 100
"""Columns where nothing says how many there are."""
_ERASE = "\r\x1b[2K"


class Terminal:
    """A terminal, or a file: there, no line moves and nothing is coloured."""

    def __init__(self, out: TextIO, environ: Mapping[str, str]) -> None:
        if isinstance(out, io.TextIOWrapper):
            out.reconfigure(errors="replace")  # posts hold letters that not every terminal can print
        self._out = out
        self._moving = out.isatty() and environ.get("TERM") != "dumb"
        self._colours = self._moving and not environ.get("NO_COLOR")
        self._moved = False
        """Whether a line that moves is shown."""
        self._last = 0
        self.width = shutil.get_terminal_size((PLAIN_WIDTH, 24)).columns

    @property
    def moves(self) -> bool:
        """Whether a line can move."""
        return self._moving

    def say(self, line: str = "") -> None:
        """A line that stays."""
        self.clear()
        self._out.write(f"{line}\n")
        self._out.flush()

    def title(self, line: str) -> None:
        """The line above a part."""
        self.say()
        self.say(f"\x1b[1m{line}\x1b[0m" if self._colours else line)

    def faint(self, text: str) -> str:
        return f"\x1b[2m{text}\x1b[0m" if self._colours else text

    def doing(self, what: str) -> None:
        """What goes on now; on a terminal only."""
        if self._moving:
            self._move(f"{what} …")

    def progress(self, what: str, done: int, total: int, a_second: float) -> None:
        """How far it is. On a terminal the line moves; elsewhere there is one for each quarter."""
        counts = f"{done:,} of {total:,}" + (f", {a_second:,.0f} a second" if a_second else "")
        if self._moving:
            cells = min(40, max(0, self.width - len(what) - len(counts) - 8))
            full = cells * done // max(total, 1)
            bar = f"{'━' * full}{self.faint('─' * (cells - full))}  " if cells > 4 else ""
            self._move(f"{what}  {bar}{counts}"[: None if bar else self.width])
        elif (quarter := 4 * done // max(total, 1)) != self._last:
            self._last = quarter
            if quarter:
                self.say(f"{what}: {counts}")

    def clear(self) -> None:
        """Take the moving line away."""
        if self._moved:
            self._out.write(_ERASE)
            self._out.flush()
            self._moved = False

    def _move(self, line: str) -> None:
        self._out.write(f"{_ERASE}{line}")
        self._out.flush()
        self._moved = True


def readable(text: str) -> str:
    """Somebody's text on one line, without what steers a terminal or turns the direction of writing."""
    kept = (letter if letter.isprintable() or letter in "\u200d\ufe0f" else " " for letter in text)
    return " ".join("".join(kept).split())


def fitted(text: str, columns: int) -> str:
    """The text, shortened to so many columns; wide letters take two."""
    if columns_of(text) <= columns:
        return text
    taken, kept = 0, ""
    for letter in text:
        taken += columns_of(letter)
        if taken > columns - 1:
            break
        kept += letter
    return f"{kept.rstrip()}…" if columns > 0 else ""


def columns_of(text: str) -> int:
    """How many columns a terminal uses for the text, as nearly as can be known without asking it."""
    return sum(
        0 if unicodedata.category(letter) in ("Mn", "Me", "Cf") else 1 + (unicodedata.east_asian_width(letter) in "WF")
        for letter in text
    )
