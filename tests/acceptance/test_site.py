"""The documentation as a site, as `make docs` left it: its pages load nothing from elsewhere."""

import os
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

SITE = Path(__file__).parents[2] / "site"
ELSEWHERE = re.compile(r"\s*(https?:)?//")

if not (SITE / "index.html").exists():
    if os.environ.get("INDEXER_TEST_REQUIRE_PACKAGES"):
        pytest.fail("there is no site/: run `make docs` first", pytrace=False)
    pytest.skip("`make docs` builds site/", allow_module_level=True)

PAGES = sorted(SITE.rglob("*.html"))


class Loaded(HTMLParser):
    """What a browser fetches for a page without being asked, as tags with their attributes; links to follow are not."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.drawn_elsewhere = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, text in attrs:
            is_loaded = name in ("src", "srcset", "data", "poster", "style") or (name == "href" and tag != "a")
            if is_loaded and text and (ELSEWHERE.match(text) or "url(http" in text):
                self.found.append(f"<{tag} {name}={text}>")
            if name == "class" and "mermaid" in (text or "").split():
                self.drawn_elsewhere = True  # the theme fetches the program for these


def test_pages_load_nothing_from_elsewhere() -> None:
    assert len(PAGES) > 20
    for page in PAGES:
        loaded = Loaded(page.read_text(encoding="utf-8"))
        assert loaded.found == [], page
        assert not loaded.drawn_elsewhere, page


def test_styles_and_pictures_load_nothing_from_elsewhere() -> None:
    files = [file for file in SITE.rglob("*") if file.suffix in (".css", ".svg")]
    assert len(files) > 2
    for file in files:
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"url\(\s*[\"']?(https?:)?//|@import|href=[\"'](https?:)?//", text), file
