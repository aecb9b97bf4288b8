"""Bugs about accounts that come and go, which the random histories notice; where a test of one order does, it is named."""

from tests.mutation.mutant import Mutant

_RETURN = "tests/integration/test_removal_return.py::test_"

MUTANTS = (
    Mutant(
        "a removal forgets that reposts are counted",
        "removal/eraser.py",
        "        await self._tables()\n",
        "        await self._tables()\n"
        "        for counts in self.deltas._of['post_agg'].values():\n"
        "            counts[2] = 0\n",
    ),
    Mutant(
        "what a removal takes is subtracted twice",
        "removal/portions.py",
        "                await eraser.counters(self.aggregates, self._is_own)\n",
        "                await eraser.counters(self.aggregates, self._is_own)\n"
        "                await eraser.counters(self.aggregates, self._is_own)\n",
    ),
    Mutant(
        "a portion of a removal and its counters are two transactions",
        "removal/portions.py",
        "                await eraser.counters(self.aggregates, self._is_own)\n",
        '                await connection.execute("COMMIT")\n'
        '                await connection.execute("BEGIN")\n'
        "                await eraser.counters(self.aggregates, self._is_own)\n",
        ("tests/integration/test_removal_return.py::test_portion_goes_with_its_counters_or_not_at_all",),
    ),
    Mutant(
        "a removal ends with the first sweep",
        "removal/worker.py",
        "            elif alone:\n                break\n",
        "            break\n",
        ("tests/integration/test_removal_races.py::test_batch_that_did_not_see_the_mark_is_waited_for",),
    ),
    Mutant(
        "records of a removed account that come late stay",
        "sink/stale.py",
        "if not is_newer}",
        "if not is_newer and event.uri is None}",
    ),
    Mutant(
        "a status withdraws a deletion that is newer",
        "sink/queries.sql",
        '        AND (d.at_ms, d.time COLLATE "C", \'deleted\' COLLATE "C")\n'
        '            < (s.at_ms, s.time COLLATE "C", coalesce(s.status, \'\') COLLATE "C")\n',
        "",
    ),
    Mutant(
        "the last deletion to come is the one that counts",
        "sink/queries.sql",
        'WHERE (d.at_ms, d.time COLLATE "C") < (excluded.at_ms, excluded.time COLLATE "C")\n',
        "",
    ),
    Mutant(
        "the last status to come is the one that counts",
        "sink/queries.sql",
        'WHERE (s.at_ms, s.time COLLATE "C", coalesce(s.status, \'\') COLLATE "C")\n'
        '    < (excluded.at_ms, excluded.time COLLATE "C", coalesce(excluded.status, \'\') COLLATE "C")\n',
        "",
    ),
    Mutant(
        "a newer duplicate of what is removed is not indexed",
        "removal/account.py",
        "            if kept:\n",
        "            if False:\n",
    ),
    Mutant(
        "who has the place of what is removed is not looked for",
        "sink/reads.py",
        "            if group.indexed is None and group.revs:\n",
        "            if False:\n",
        (_RETURN + "duplicate_that_comes_before_the_next_is_indexed_hinders_nobody",),
    ),
    Mutant(
        "a removal takes tombstones of newer deletions",
        "removal/portions.py",
        '[newer or (rev or "") >= least for',
        "[newer for",
        (_RETURN + "late_version_of_a_record_that_was_deleted_again_stays_away",),
    ),
    Mutant(
        "a newer status goes with the actor of a removed account",
        "removal/remains.py",
        '            await eraser.connection.execute(statements["keep_status"], did, portions.bound_ms)\n',
        "",
        (_RETURN + "status_that_is_newer_outlives_the_row_of_the_actor",),
    ),
    Mutant(
        "the handle of an account that came back is not looked up again",
        "removal/remains.py",
        '                await eraser.connection.execute(statements["look_up_again"], did, portions.bound_ms)\n',
        "                pass\n",
        (_RETURN + "account_that_is_active_again_is_looked_up",),
    ),
    Mutant(
        "the commit of a record that comes during a removal goes",
        "sink/queries.sql",
        " AND NOT EXISTS (SELECT 1 FROM {schema}.record r WHERE r.did = $1)",
        "",
        (_RETURN + "commit_of_a_record_that_comes_during_the_last_look_is_kept",),
    ),
)
