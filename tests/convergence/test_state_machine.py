"""Histories that Hypothesis makes up: whatever way they are delivered, the tables are the same."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.convergence.histories import Step, histories
from tests.convergence.laboratory import Laboratory
from tests.convergence.property import converges

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
seeds = st.integers(0, 2**16)


@pytest.mark.timeout(600)
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=SLOW)
@given(steps=histories, seed=seeds)
def test_any_delivery_gives_the_same_tables(lab: Laboratory, steps: list[Step], seed: int) -> None:
    converges(lab, steps, seed)


@pytest.mark.long
@pytest.mark.timeout(7200)
@settings(max_examples=2000, deadline=None, print_blob=True, suppress_health_check=SLOW)
@given(steps=histories, seed=seeds)
def test_any_delivery_of_many_histories_gives_the_same_tables(lab: Laboratory, steps: list[Step], seed: int) -> None:
    converges(lab, steps, seed)
