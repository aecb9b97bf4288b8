"""A bug planted on purpose: one text of one file replaced by another."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import indexer

PACKAGE = Path(indexer.__file__).parent


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug, and who must notice it."""

    name: str
    file: str
    """Its path in the package."""
    old: str
    """A text that the file has once."""
    new: str
    tests: tuple[str, ...] = ()
    """Tests by pytest's ids, of which one must fail; none: the search for a history that does not converge."""

    @property
    def text(self) -> str:
        """The file with the bug. ValueError where the text to replace is not there once."""
        text = (PACKAGE / self.file).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.name}: {self.file} has the text {text.count(self.old)} times")
        return text.replace(self.old, self.new)


def plant(mutant: Mutant | None, folder: Path) -> None:
    """Put a copy of the package into `folder`, with one bug more."""
    copy = folder / "indexer"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    if mutant is not None:
        (copy / mutant.file).write_text(mutant.text, encoding="utf-8")
