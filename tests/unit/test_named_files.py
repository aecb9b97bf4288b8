"""Files that documents, docstrings and comments name in backticks are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "python/indexer"
NAMED = re.compile(r"`(?!NNNN|\S+/NNNN)([\w.-]+(?:/[\w.-]+)*\.(?:py|pyi|rs|sql|md|yml|toml|csv|html))`")


def test_in_documents() -> None:
    """A path is seen from the root or from the package; bare names are of the folder that the paragraph is about."""
    for name in ("README.md", "DESIGN.md", "CONTRIBUTING.md", "docs/codec.md", "docs/messages.md", "docs/operating.md"):
        for path in NAMED.findall((ROOT / name).read_text(encoding="utf-8")):
            if "/" in path:
                assert (ROOT / path).exists() or (PACKAGE / path).exists(), f"{name}: {path}"


def test_in_the_package() -> None:
    """A path is seen from the file itself, from the package or from the root."""
    for file in PACKAGE.rglob("*.py"):
        for path in NAMED.findall(file.read_text(encoding="utf-8")):
            assert any((place / path).exists() for place in (file.parent, PACKAGE, ROOT)), f"{file}: {path}"
