"""Every planted bug still fits its file, and names tests that exist; `make mutants` runs them."""

import ast
import re
from pathlib import Path

import pytest

from tests.mutation.list import MUTANTS
from tests.mutation.mutant import Mutant

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "_"))
def test_planted_bug_still_fits(mutant: Mutant) -> None:
    assert mutant.old != mutant.new
    if mutant.file.endswith(".py"):
        ast.parse(mutant.text)
    else:
        assert mutant.text
    for test in mutant.tests:
        file, *_, name = test.split("::")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert re.search(rf"^ *(async )?def {name}\(", text, re.M), test


def test_names_are_unique() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
