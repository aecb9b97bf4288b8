"""The files of pins: which package, which version, which files may be installed for it."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FILES = tuple(sorted(ROOT.glob("requirements*.txt")))


class Pin(NamedTuple):
    """A line of such a file; hashes as pip takes them, `sha256:...`."""

    name: str
    version: str
    marker: str
    hashes: tuple[str, ...]


def read(file: Path) -> list[Pin]:
    """The pins of a file. ValueError where a line is no pin: nothing is to be overlooked."""
    text = re.sub(r"(?m)^\s*#.*\n|\s+#.*$", "", file.read_text(encoding="utf-8")).replace("\\\n", " ")
    found = []
    for line in filter(str.strip, text.splitlines()):
        parts = re.fullmatch(r"([\w.-]+)==([\w.!+]+)\s*(?:;(.*?))?((?:\s+--hash=\S+)*)\s*", line)
        if parts is None:
            raise ValueError(f"{file.name}: not a pin: {line[:100]}")
        name, version, marker, hashes = parts.groups()
        found.append(Pin(name, version, (marker or "").strip(), tuple(re.findall(r"--hash=(\S+)", hashes))))
    return found
