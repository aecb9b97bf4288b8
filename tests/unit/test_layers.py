"""Packages import only from those below them, so that the lower ones can be read, and used, without the upper."""

import ast
from collections.abc import Iterator
from pathlib import Path

import indexer

ROOT = Path(indexer.__file__).parent
LAYERS = (
    {"_native", "errors", "pulse", "terminal", "wording"},
    {"codec"},
    {"configuration"},
    {"connections"},
    {"embedded"},
    {"identity"},
    {"schema"},
    {"metrics"},
    {"fold", "records"},  # one judges, the other says what the records are: they know each other
    {"sink"},
    {"removal"},
    {"lane"},
    {"daemon"},
    {"demo"},
    {"commands"},
    {"cli"},
    {"__main__"},
)
"""From the bottom."""
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
MEANT = {("daemon/page", "commands")}
"""The status page shows what `status` shows, and `run` starts the daemon with its page."""


def test_packages_import_only_from_those_below() -> None:
    upward = {(place, name) for place, name in imports() if LEVEL[name] > LEVEL[place.split("/")[0]]}
    assert upward == MEANT


def imports() -> Iterator[tuple[str, str]]:
    """Each folder of the package, or file beside the folders, with each of them that it imports."""
    names = {path.name.split(".")[0] for path in ROOT.iterdir()}
    for file in ROOT.rglob("*.py"):
        path = file.relative_to(ROOT)
        place = path.stem if file.parent == ROOT else str(path.parent)
        if place == "__init__":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "indexer":
                yield from ((place, alias.name) for alias in node.names if alias.name in names)
            elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("indexer."):
                yield place, str(node.module).split(".")[1]
