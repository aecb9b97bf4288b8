"""Bugs in what operators ask of instances: numbers, rates, pauses and budgets."""

from tests.mutation.mutant import Mutant

_INTAKE = "tests/unit/test_intake.py::test_"
_LANES = "tests/integration/test_lane_intake.py::test_"
_OBEDIENCE = "tests/integration/test_obedience.py::test_"
_BUDGET = "tests/unit/test_budget.py::test_"
_REST = "tests/unit/test_rest.py::test_it_rests_without_standing_still_and_goes_on"

MUTANTS = (
    Mutant(
        "what a lane did not take is lost for the others",
        "lane/intake.py",
        "            self._intake._give_back(given - number)\n",
        "            self._intake._give_back(0)\n",
        (_INTAKE + "number_of_messages_is_shared_and_what_was_not_taken_goes_to_others",),
    ),
    Mutant(
        "a read without a reply gives back what it was given",
        "lane/intake.py",
        "        self.is_reading = False\n\n    def took",
        "        self.took(0)\n\n    def took",
        (_LANES + "reply_that_is_lost_does_not_make_it_more",),
    ),
    Mutant(
        "tokens are saved up without a bound",
        "lane/intake.py",
        "min(self._tokens + (now - self._at) * self.rate, self.rate)",
        "self._tokens + (now - self._at) * self.rate",
        (_INTAKE + "bucket_keeps_a_seconds_worth_at_most",),
    ),
    Mutant(
        "a read asks for more than it was given",
        "lane/pipeline.py",
        "self.source.new(None, count)",
        "self.source.new(None)",
        (_LANES + "no_more_is_read_than_the_clock_allows_whichever_streams_have_something",),
    ),
    Mutant(
        "pending entries are read unasked",
        "lane/source.py",
        "count = self._count if allowed is None else await allowed(self._count)",
        "count = self._count",
        (_LANES + "number_is_exact_and_counts_what_is_pending",),
    ),
    Mutant(
        "paused lanes go on reading",
        "lane/intake.py",
        "                if not intake.is_paused:\n",
        "                if True:\n",
        (_LANES + "paused_lanes_finish_what_they_hold_and_read_nothing",),
    ),
    Mutant(
        "it says that it is paused while something is in hand",
        "daemon/obedience.py",
        " and all(lane.halted or not lane.in_hand for lane in self._lanes)",
        "",
        (_OBEDIENCE + "pause_is_answered_when_no_read_is_under_way_and_nothing_is_in_hand",),
    ),
    Mutant(
        "it says that it obeys while a read from before is under way",
        "daemon/obedience.py",
        "        if self._intake.is_obeyed:\n",
        "        if True:\n",
        (_OBEDIENCE + "pause_is_answered_when_no_read_is_under_way_and_nothing_is_in_hand",),
    ),
    Mutant(
        "a lease is not renewed where the table of wishes is missing",
        "daemon/lease.py",
        "            except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError) as error:\n",
        "            except ZeroDivisionError as error:\n",
        (_OBEDIENCE + "without_the_table_or_the_right_the_lease_is_kept",),
    ),
    Mutant(
        "a pause is forgotten with the instance",
        "daemon/lease.py",
        " AND NOT paused AND rate IS NULL",
        "",
        (_OBEDIENCE + "next_instance_under_the_name_hears_it_before_it_begins",),
    ),
    Mutant(
        "who has lost the name answers for it",
        "daemon/lease.py",
        "    SELECT consumer, $2, $4, $5, $6 FROM kept\n",
        "    VALUES ($1, $2, $4, $5, $6)\n",
        (_OBEDIENCE + "name_that_went_to_another_is_not_answered_for",),
    ),
    Mutant(
        "shares of few messages pass the budget",
        "lane/budget.py",
        "            if one.unit and not (window.is_large_enough() or at_end):\n",
        "            if False:\n",
        (_BUDGET + "share_is_not_judged_of_few_messages_but_at_the_end",),
    ),
    Mutant(
        "a passed budget halts the lane",
        "lane/pipeline.py",
        "        if not self._intake.is_closed:  # else it ends anyway, in order\n",
        "        if True:\n",
        (
            "tests/integration/test_source_lane.py::"
            "test_budget_that_is_passed_ends_the_lane_where_the_breaker_would_halt_it",
        ),
    ),
    Mutant(
        "a lane that may not read is taken for stalled",
        "daemon/health.py",
        "        elif not lane.is_resting and time",
        "        elif time",
        ("tests/faults/test_supervision.py::test_lane_that_may_not_read_is_alive",),
    ),
    Mutant(
        "a paused instance claims what it will not process",
        "lane/adoption.py",
        " or self._lane.is_paused:",
        ":",
        ("tests/integration/test_adoption.py::test_paused_lane_claims_nothing",),
    ),
    Mutant(
        "handles are looked up while it is paused",
        "daemon/handle_worker.py",
        " or free < REFILL or self._is_paused():",
        " or free < REFILL:",
        (_REST,),
    ),
    Mutant(
        "accounts are removed while it is paused",
        "removal/worker.py",
        "not self._is_paused() and await work()",
        "await work()",
        (_REST,),
    ),
    Mutant(
        "a recount that rests gives no sign of life",
        "sink/recount.py",
        "            beat()  # also while it rests\n",
        "",
        (_REST,),
    ),
)
