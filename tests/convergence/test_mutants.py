"""The state machine notices bugs that were planted on purpose."""

from pathlib import Path

import pytest

from tests.convergence.mutants import MUTANTS, Mutant, noticed, planted


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "_"))
def test_planted_bug_still_fits(tmp_path: Path, mutant: Mutant) -> None:
    planted(mutant, tmp_path)


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name.replace(" ", "_"))
def test_planted_bug_is_noticed(convergence_database: str, mutant: Mutant) -> None:
    assert noticed(mutant, convergence_database) is not None


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_nothing_is_noticed_where_nothing_is_planted(convergence_database: str) -> None:
    assert noticed(None, convergence_database) is None
