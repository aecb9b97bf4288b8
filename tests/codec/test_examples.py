"""The examples in the documentation run, and say what they say."""

import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

from indexer import codec

MODULES = [codec.__name__, *(found.name for found in pkgutil.walk_packages(codec.__path__, f"{codec.__name__}."))]
PAGE = Path(__file__).parents[2] / "docs/codec.md"


@pytest.mark.parametrize("name", MODULES)
def test_examples_of_modules(name: str) -> None:
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_examples_of_the_page() -> None:
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert failed == 0
    assert tried > 10
