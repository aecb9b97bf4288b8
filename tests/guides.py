"""The commands that a page of docs/ tells to type."""

import re
from pathlib import Path


def commands_by_heading(page: Path) -> dict[str, list[str]]:
    """The lines of the blocks of `sh`, by the heading above them; headings without any are left out."""
    found: dict[str, list[str]] = {}
    heading = ""
    pattern = re.compile(r"^#+ ([^\n]+)$|^```sh\n(.*?)^```", re.M | re.S)
    for match in pattern.finditer(page.read_text(encoding="utf-8")):
        if match[1]:
            heading = match[1]
        else:
            found.setdefault(heading, []).extend(line for line in match[2].splitlines() if line.strip())
    return found
