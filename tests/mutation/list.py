"""All planted bugs."""

from tests.mutation import accounts, answers, deliveries, desk, histories, neighbours, removals
from tests.mutation.mutant import Mutant

MUTANTS: tuple[Mutant, ...] = (
    *deliveries.MUTANTS,
    *answers.MUTANTS,
    *neighbours.MUTANTS,
    *accounts.MUTANTS,
    *removals.MUTANTS,
    *desk.MUTANTS,
    *histories.MUTANTS,
)
