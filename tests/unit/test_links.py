"""Pages link to what is there, and the site has all of them."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [page.relative_to(ROOT) for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", text))
    lost = [target for target in targets if "://" not in target and not is_there(ROOT / page, target)]
    assert lost == []


def is_there(page: Path, target: str) -> bool:
    file = target.partition("#")[0]
    return not file or (page.parent / file).is_file()


def test_every_page_is_in_the_navigation() -> None:
    nav = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    listed = sorted(leaves(nav))
    pages = sorted(str(page.relative_to("docs")) for page in PAGES if page.parts[0] == "docs")
    assert listed == pages, "see `nav` in mkdocs.yml"


def leaves(nav: Any) -> list[str]:
    if isinstance(nav, str):
        return [nav]
    parts = nav.values() if isinstance(nav, dict) else nav
    return [leaf for part in parts for leaf in leaves(part)]
