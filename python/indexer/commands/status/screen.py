"""The screen of `top`: redrawn on a terminal, whose keys it reads; elsewhere lines, one after the other."""

import asyncio
import contextlib
import os
import shutil
import termios
import tty
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TextIO

_ENTER = "\x1b[?1049h\x1b[?25l"
"""Another screen, without a cursor: what was there before comes back at the end."""
_LEAVE = "\x1b[?25h\x1b[?1049l"
_HOME = "\x1b[H"
_REST_OF_LINE = "\x1b[K"
_REST_OF_SCREEN = "\x1b[J"


class Screen:
    """For the time of a `with` block; `end` is called when somebody types `q`."""

    def __init__(self, keys: TextIO, out: TextIO, environ: Mapping[str, str], end: Callable[[], None]) -> None:
        self._keys = keys
        self._out = out
        self._end = end
        self.is_moving = out.isatty() and environ.get("TERM") != "dumb"
        self._colours = self.is_moving and not environ.get("NO_COLOR")
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> "Screen":
        if self.is_moving:
            self._out.write(_ENTER)
            self._out.flush()
            self._stack.callback(self._leave)
            if self._keys.isatty():
                self._stack.enter_context(_single_keys(self._keys.fileno(), self._key))
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def draw(self, lines: Sequence[str]) -> None:
        """Show these instead of what was there, as many as fit; the first stands out."""
        columns, rows = shutil.get_terminal_size((100, 24))
        shown = [line[:columns] for line in lines[: rows - 1]]
        if shown and self._colours:
            shown[0] = f"\x1b[1m{shown[0]}\x1b[0m"
        text = "\n".join(f"{line}{_REST_OF_LINE}" for line in shown)
        self._out.write(f"{_HOME}{text}{_REST_OF_SCREEN}")
        self._out.flush()

    def say(self, line: str) -> None:
        """A line that stays; at once, also for a pipe."""
        self._out.write(f"{line}\n")
        self._out.flush()

    def _leave(self) -> None:
        self._out.write(_LEAVE)
        self._out.flush()

    def _key(self) -> None:
        if os.read(self._keys.fileno(), 64).lower() in (b"q", b"\x1b", b"\x04", b"\x03"):
            self._end()


@contextlib.contextmanager
def _single_keys(fd: int, read: Callable[[], None]) -> Iterator[None]:
    """Each key at once and unseen; as it was before at the end."""
    before: list[Any] = termios.tcgetattr(fd)
    loop = asyncio.get_running_loop()
    tty.setcbreak(fd)
    loop.add_reader(fd, read)
    try:
        yield
    finally:
        loop.remove_reader(fd)
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
